package helm_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/ghscoped/ghscoped-service/internal/config"
)

// matrix are values as deployers may write them. Each is rendered, linted,
// judged by kubeconform and installed.
var matrix = map[string]string{
	"the least":            enough,
	"pull":                 enough + "  delivery: pull\n",
	"one repository":       enough + "  delivery: pull\n  one_repository: true\nsecrets: {existingSecret: mine, existingKeys: [client-secret]}",
	"below a path":         enough + "hub: {baseUrl: /lab/, publicUrl: https://hub.example.org/lab/hub/}",
	"Let's Encrypt":        enough + "hub: {proxyUrl: \"http://proxy-http:8000\"}",
	"a volume there":       enough + "store: {bolt: {existingClaim: mine}}",
	"a storage class":      enough + "store: {bolt: {storageClass: fast, size: 5Gi}}",
	"no storage class":     enough + "store: {bolt: {storageClass: \"\"}}",
	"Redis":                withRedis,
	"Sentinel":             strings.Replace(withRedis, "redis:6380/0", "sentinel:26379/?master_name=ours&addr=other:26380", 1),
	"two pods":             withRedis + "replicas: 2",
	"autoscaling":          withRedis + "autoscaling: {enabled: true, maxReplicas: 9}",
	"secrets by value":     enough + "secrets: {values: {client-secret: marker-secret, keys: bWFya2VyLWtleS1tYXJrZXIta2V5LW1hcmtlci1rZXk=}}",
	"the web flow":         enough + "secrets: {existingSecret: mine, existingKeys: [client-secret]}",
	"bot tokens":           withBots + "botPolicy: {version: 1, rules: []}",
	"workloads":            forWorkloads,
	"settings in a Secret": "secrets: {existingSecret: mine, existingKeys: [config.yaml]}",
	"monitoring": enough + `
metrics:
  serviceMonitor: {enabled: true, labels: {release: prometheus}}
  prometheusRule: {enabled: true}
  dashboard: {enabled: true}`,
	"no network policy": enough + "networkPolicy: {enabled: false}",
	"a GitHub of our own": `
config: {client_id: Iv23example, app_url: "https://github.example.org/github-apps/x", github_url: "https://github.example.org"}
networkPolicy: {github: [{cidr: 10.1.2.3/32}], metricsFrom: [{namespaceSelector: {}}], extraEgress: [{ports: [{port: 3128}]}]}`,
	"everything of a pod": enough + `
pod:
  labels: {team: research}
  annotations: {a: b}
  nodeSelector: {kubernetes.io/os: linux}
  tolerations: [{key: hub.jupyter.org/dedicated, operator: Exists}]
  extraEnv: [{name: SSL_CERT_FILE, value: /ca/ca.crt}]
  extraVolumes: [{name: ca, configMap: {name: ca}}]
  extraVolumeMounts: [{name: ca, mountPath: /ca}]
image: {digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", pullSecrets: [{name: registry}]}
service: {port: 80, annotations: {a: b}}`,
	"in an umbrella": enough + "global: {anything: 1}\nenabled: true\nfullnameOverride: ghscoped-service",
}

func TestChartIsLinted(t *testing.T) {
	t.Parallel()
	for name, values := range matrix {
		out, err := helm(t, "lint", "--strict", "--kube-version", kubernetes, chart, "--values", given(t, values))
		require.NoError(t, err, "%s: %s", name, out)
	}
}

// TestChartSettingsAreAcceptedByTheService gives what each rendering sets to the same
// code that the service reads its settings with.
func TestChartSettingsAreAcceptedByTheService(t *testing.T) {
	t.Parallel()
	for name, values := range matrix {
		if name == "settings in a Secret" {
			continue // the deployer's own
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := objects(t, render(t, values))
			files := at(t, all["ConfigMap/"+release], "data").(object)
			var environ []string
			for name, value := range environment(t, container(t, all)) {
				environ = append(environ, name+"="+value)
			}
			settings, err := config.Load("", environ, func(path string) ([]byte, error) {
				if name, found := strings.CutPrefix(path, "/etc/ghscoped/config/"); found && files[name] != nil {
					return []byte(files[name].(string)), nil
				}
				if strings.HasPrefix(path, "/etc/ghscoped/") {
					return []byte("a secret"), nil
				}
				return nil, fs.ErrNotExist
			})
			require.NoError(t, err)

			var overlay object
			require.NoError(t, yaml.Unmarshal([]byte(overlayOf(t, notes(t, values))), &overlay))
			service := at(t, overlay, "hub", "services", settings.Service.Name).(object)
			require.ElementsMatch(t, settings.Hub.AllowedScopes, service["oauth_client_allowed_scopes"], "what it asks for is what the Hub allows")
			require.Equal(t, "/"+strings.TrimPrefix(settings.Service.Prefix, "/"),
				"/"+strings.SplitN(at(t, overlay, "singleuser", "extraEnv", "GHSCOPED_URL").(string), "/", 4)[3])
		})
	}
}

func TestChartIsASiblingInAnUmbrellaChart(t *testing.T) {
	t.Parallel()
	umbrella := t.TempDir()
	require.NoError(t, os.CopyFS(umbrella+"/charts/ghscoped-service", os.DirFS(chart)))
	require.NoError(t, os.WriteFile(umbrella+"/Chart.yaml", []byte(`
apiVersion: v2
name: ours
version: 0.0.1
dependencies: [{name: ghscoped-service, version: ">=0", condition: ghscoped-service.enabled}]
`), 0o600))
	values := "ghscoped-service:\n  enabled: true\n  fullnameOverride: ghscoped-service" + strings.ReplaceAll(enough, "\n", "\n  ")
	out, err := helm(t, "template", "ours", umbrella, "--kube-version", kubernetes, "--values", given(t, values))
	require.NoError(t, err)
	require.Contains(t, objects(t, out), deployment)
	out, err = helm(t, "template", "ours", umbrella, "--kube-version", kubernetes, "--values",
		given(t, strings.Replace(values, "enabled: true", "enabled: false", 1)))
	require.NoError(t, err)
	require.Empty(t, objects(t, out))
}

func TestValuesThatAreWrongAreRefusedByName(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, values, says string }{
		{"nothing", "", "at '/config': missing properties 'client_id', 'app_url'"},
		{"an unknown value", enough + "replicaCount: 1", "additional properties 'replicaCount' not allowed"},
		{"an unknown value further down", enough + "hub: {url: x}", "at '/hub': additional properties 'url' not allowed"},
		{"an unknown setting", enough + "  idenitty: any", "at '/config': additional properties 'idenitty' not allowed"},
		{"a setting that the chart sets", enough + "  store: bolt:x", "at '/config': additional properties 'store' not allowed"},
		{"a setting with a wrong value", enough + "  delivery: psh", "at '/config/delivery': value must be one of 'push', 'pull'"},
		{"replicas as text", enough + "replicas: two", "at '/replicas': got string, want integer"},
		{"no replica", enough + "replicas: 0", "at '/replicas': minimum: got 0, want 1"},
		{"two pods without Redis", enough + "replicas: 2", "at '/store/type': value must be 'redis'"},
		{"autoscaling without Redis", enough + "autoscaling: {enabled: true}", "at '/store/type': value must be 'redis'"},
		{"Redis without an address", enough + "store: {type: redis}", "at '/store/redis/url': minLength: got 0, want 1"},
		{"a password in Redis' address", enough + "store: {type: redis, redis: {url: \"redis://:pw@redis\"}}", "at '/store/redis/url': 'redis://:pw@redis' does not match pattern"},
		{"Redis without keys", enough + "store: {type: redis, redis: {url: \"redis://redis\"}}", "set secrets.values.keys, or secrets.existingSecret"},
		{"an authority without TLS", enough + "store: {type: redis, redis: {url: \"redis://redis\"}}\nsecrets: {values: {keys: x, redis-ca.crt: marker}}", "store.redis.url does not begin with rediss://"},
		{"an unknown secret", enough + "secrets: {values: {clientSecret: x}}", "at '/secrets/values': additional properties 'clientSecret' not allowed"},
		{"secrets twice", enough + "secrets: {existingSecret: mine, values: {keys: x}}", "at '/secrets/values': maxProperties: got 1, want 0"},
		{"keys of no Secret", enough + "secrets: {existingKeys: [keys]}", "at '/secrets/existingKeys': maxItems: got 1, want 0"},
		{"settings twice", enough + "secrets: {existingSecret: mine, existingKeys: [config.yaml]}", "at '/config': maxProperties: got 2, want 0"},
		{"a policy without a key", enough + "botPolicy: {version: 1, rules: []}", "botPolicy and the secret app-private-key.pem go together"},
		{"a mistake in the policy", withBots + "botPolicy: {version: 1, rules: [{name: x, reason: y, callers: [\"service:x\"], repositories: [o/r], permissions: {contents: admin}}]}", "at '/botPolicy/rules/0/permissions/contents': value must be one of 'read', 'write'"},
		{"a key without a policy", enough + "secrets: {values: {app-private-key.pem: x}}", "botPolicy and the secret app-private-key.pem go together"},
		{"a base path without its end", enough + "hub: {baseUrl: /lab}", "at '/hub/baseUrl': '/lab' does not match pattern"},
		{"a proxy with a path", enough + "hub: {proxyUrl: http://proxy-public/}", "at '/hub/proxyUrl': 'http://proxy-public/' does not match pattern"},
		{"a short digest", enough + "image: {digest: sha256:12}", "at '/image/digest': 'sha256:12' does not match pattern"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := helm(t, "template", release, chart, "--kube-version", kubernetes, "--values", given(t, test.values))
			require.ErrorContains(t, err, test.says)
		})
	}
}

func TestReplicasWithoutRedisAreRefusedWithoutTheSchemaToo(t *testing.T) {
	t.Parallel()
	_, err := helm(t, "template", release, chart, "--kube-version", kubernetes, "--skip-schema-validation",
		"--values", given(t, enough+"replicas: 2"))
	require.ErrorContains(t, err, "more than one pod needs store.type redis")
}

func TestPodIsConfined(t *testing.T) {
	t.Parallel()
	all := objects(t, render(t, enough))
	for name, pod := range map[string]any{
		"service": at(t, all[deployment], "spec", "template", "spec"),
		"doctor":  at(t, all["Pod/"+release+"-doctor"], "spec"),
	} {
		require.Equal(t, false, at(t, pod, "automountServiceAccountToken"), name)
		require.Equal(t, false, at(t, pod, "enableServiceLinks"), "%s: GHSCOPED_SERVICE_PORT would be taken for a setting", name)
		security := at(t, pod, "securityContext").(object)
		require.Equal(t, true, security["runAsNonRoot"], name)
		require.Equal(t, 65532, security["runAsUser"], name)
		require.Equal(t, object{"type": "RuntimeDefault"}, security["seccompProfile"], name)
		require.Equal(t, object{
			"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": object{"drop": []any{"ALL"}},
		}, at(t, pod, "containers", 0, "securityContext"), name)
		require.NotEmpty(t, at(t, pod, "containers", 0, "resources", "requests"), name)
		require.NotEmpty(t, at(t, pod, "containers", 0, "resources", "limits", "memory"), name)
	}
}

// A cluster shows the keys of service accounts' tokens only to pods with a token of their own.
func TestPodHasATokenOfItsOwnWhereItAsksTheCluster(t *testing.T) {
	t.Parallel()
	for values, has := range map[string]bool{forWorkloads: true, enough: false,
		strings.Replace(forWorkloads, "actions,kubernetes", "actions,kubernetes=https://oidc.example.org", 1): false} {
		pod := at(t, objects(t, render(t, values))[deployment], "spec", "template", "spec")
		require.Equal(t, has, at(t, pod, "automountServiceAccountToken"), values)
	}
}

func TestPolicyChangeReplacesNoPod(t *testing.T) {
	t.Parallel()
	before := objects(t, render(t, withBots+"botPolicy: {version: 1, rules: []}"))
	after := objects(t, render(t, withBots+`botPolicy: {version: 1, rules: [{name: nightly, reason: grades,
  callers: ["service:nbbot"], repositories: [octo-org/grades], permissions: {contents: write}}]}`))
	require.NotEqual(t, before["ConfigMap/"+release+"-bot-policy"], after["ConfigMap/"+release+"-bot-policy"])
	require.Equal(t, before[deployment], after[deployment], "the service reads the policy again by itself")
	require.Equal(t, "/etc/ghscoped/bot-policy/bot-policy.yaml", environment(t, container(t, after))["GHSCOPED_BOT_POLICY"])
}

func TestReadinessTakesNoPodOutForWhatAllShare(t *testing.T) {
	t.Parallel()
	for _, values := range []string{enough, withRedis} {
		probe := at(t, container(t, objects(t, render(t, values))), "readinessProbe", "httpGet", "path")
		require.Equal(t, "/healthz", probe, "a page that says what is wrong is more than the proxy's 503")
	}
}

func TestStoreDecidesHowPodsAreReplaced(t *testing.T) {
	t.Parallel()
	t.Run("a file has one pod at a time", func(t *testing.T) {
		t.Parallel()
		all := objects(t, render(t, enough))
		spec := at(t, all[deployment], "spec").(object)
		require.Equal(t, 1, spec["replicas"])
		require.Equal(t, object{"type": "Recreate"}, spec["strategy"])
		require.Contains(t, all, "PersistentVolumeClaim/"+release)
		require.NotContains(t, all, "PodDisruptionBudget/"+release)
		require.Equal(t, "bolt:/var/lib/ghscoped/ghscoped.db", environment(t, container(t, all))["GHSCOPED_STORE"])
	})
	t.Run("Redis has many", func(t *testing.T) {
		t.Parallel()
		all := objects(t, render(t, withRedis+"replicas: 3"))
		spec := at(t, all[deployment], "spec").(object)
		require.Equal(t, 3, spec["replicas"])
		require.Equal(t, "RollingUpdate", at(t, spec, "strategy", "type"))
		require.Len(t, at(t, spec, "template", "spec", "topologySpreadConstraints"), 2)
		require.NotContains(t, all, "PersistentVolumeClaim/"+release)
		require.Contains(t, all, "PodDisruptionBudget/"+release)
		env := environment(t, container(t, all))
		require.Equal(t, "rediss://redis:6380/0?password_file=/etc/ghscoped/secrets/redis-password", env["GHSCOPED_STORE"])
		require.Equal(t, "/etc/ghscoped/secrets/keys", env["GHSCOPED_KEY_FILE"])
	})
	t.Run("an autoscaler owns the number", func(t *testing.T) {
		t.Parallel()
		all := objects(t, render(t, withRedis+"autoscaling: {enabled: true}"))
		require.NotContains(t, at(t, all[deployment], "spec"), "replicas")
		require.Contains(t, all, "HorizontalPodAutoscaler/"+release)
		require.Contains(t, all, "PodDisruptionBudget/"+release)
	})
}

func TestHubTokenIsAFileFromItsSecret(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]struct{ secret, key string }{
		enough:                            {"hub", "hub.services.connect-github.apiToken"},
		enough + "hub: {service: github}": {"hub", "hub.services.github.apiToken"},
		enough + "hub: {tokenSecret: {name: mine, key: token}}": {"mine", "token"},
	} {
		all := objects(t, render(t, values))
		require.Equal(t, "/etc/ghscoped/hub/token", environment(t, container(t, all))["GHSCOPED_HUB_TOKEN_FILE"])
		require.Contains(t, at(t, all[deployment], "spec", "template", "spec", "volumes"), object{
			"name":   "hub-token",
			"secret": object{"secretName": want.secret, "defaultMode": 0o440, "items": []any{object{"key": want.key, "path": "token"}}},
		})
		require.Contains(t, container(t, all)["volumeMounts"], object{
			"name": "hub-token", "mountPath": "/etc/ghscoped/hub", "readOnly": true, // a folder: a changed token arrives
		})
	}
}

func TestSecretsAreNowhereButInTheSecret(t *testing.T) {
	t.Parallel()
	rendered := render(t, matrix["secrets by value"])
	require.NotContains(t, rendered, "marker-secret", "values are base64 in a Secret")
	all := objects(t, rendered)
	require.Equal(t, "bWFya2VyLXNlY3JldA==", at(t, all["Secret/"+release], "data", "client-secret"))
	require.NotContains(t, objects(t, render(t, matrix["the web flow"])), "Secret/"+release)
}

func TestSettingsChangeReplacesThePods(t *testing.T) {
	t.Parallel()
	sum := func(values string) any {
		return at(t, objects(t, render(t, values))[deployment], "spec", "template", "metadata", "annotations", "checksum/config")
	}
	require.NotEqual(t, sum(enough), sum(enough+"  identity: match"))
}

func TestKubernetesServiceFindsThePodsAndNotTheDoctor(t *testing.T) {
	t.Parallel()
	all := objects(t, render(t, enough))
	selector := at(t, all["Service/"+release], "spec", "selector").(object)
	require.Subset(t, at(t, all[deployment], "spec", "template", "metadata", "labels"), selector)
	require.NotSubset(t, at(t, all["Pod/"+release+"-doctor"], "metadata", "labels"), selector)
	policy := at(t, all["NetworkPolicy/"+release], "spec", "podSelector", "matchLabels")
	require.Subset(t, at(t, all[deployment], "spec", "template", "metadata", "labels"), policy)
	require.Subset(t, at(t, all["Pod/"+release+"-doctor"], "metadata", "labels"), policy, "it goes the same ways")
}
