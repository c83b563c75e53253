package helm_test

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const (
	root    = "../.."
	chart   = root + "/helm/ghscoped-service"
	overlay = root + "/helm/z2jh-values.yaml"
	release = "ghscoped-service"
	// kubernetes is the version to render for: that of the kube-apiserver.
	kubernetes = "v1.36.3"
)

var update = flag.Bool("update", false, "write what is made from helm/values.schema.yaml anew")

// tool is a program that demo/install.sh has put into .demo/bin.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(root, ".demo", "bin", name))
	require.NoError(t, err)
	require.FileExists(t, path, "run demo/install.sh helm cluster")
	return path
}

// helm runs helm with its state in a folder of the test's own.
func helm(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	home := t.TempDir()
	command := exec.Command(tool(t, "helm"), args...)
	command.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	var out, complaint bytes.Buffer
	command.Stdout, command.Stderr = &out, &complaint
	if err := command.Run(); err != nil {
		return out.String(), errors.New(strings.TrimSpace(complaint.String() + out.String()))
	}
	return out.String(), nil
}

// enough are the values without which nothing is rendered.
const enough = `
config:
  client_id: Iv23example
  app_url: https://github.com/apps/example
`

// forWorkloads takes identity tokens of workflows and of the cluster's service accounts.
const forWorkloads = `
config: {client_id: Iv23example, app_url: "https://github.com/apps/x", bot_issuers: "actions,kubernetes"}
hub: {publicUrl: https://hub.example.org/hub/}
secrets: {existingSecret: mine, existingKeys: [app-private-key.pem]}
botPolicy: {version: 1, rules: []}
`

// withBots lacks only a policy.
const withBots = enough + `
secrets: {existingSecret: mine, existingKeys: [app-private-key.pem]}
`

// withRedis is the least for more than one pod.
const withRedis = enough + `
store: {type: redis, redis: {url: "rediss://redis:6380/0"}}
secrets: {existingSecret: mine, existingKeys: [keys, redis-password]}
`

// given writes values to a file and returns its path.
func given(t *testing.T, values string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "values.yaml")
	require.NoError(t, os.WriteFile(path, []byte(values), 0o600))
	return path
}

func render(t *testing.T, values ...string) string {
	t.Helper()
	args := []string{"template", release, chart, "--namespace", "hub", "--kube-version", kubernetes}
	for _, more := range values {
		args = append(args, "--values", given(t, more))
	}
	out, err := helm(t, args...)
	require.NoError(t, err)
	return out
}

// object is anything that YAML holds.
type object = map[string]any

// objects are what a chart rendered, by kind and name.
func objects(t *testing.T, rendered string) map[string]object {
	t.Helper()
	found := map[string]object{}
	for decoder := yaml.NewDecoder(strings.NewReader(rendered)); ; {
		var one object
		err := decoder.Decode(&one)
		if errors.Is(err, io.EOF) {
			return found
		}
		require.NoError(t, err)
		if len(one) == 0 {
			continue
		}
		name := one["kind"].(string) + "/" + at(t, one, "metadata", "name").(string)
		require.NotContains(t, found, name, "rendered twice")
		found[name] = one
	}
}

// at is what is found below the keys (string) and indexes (int).
func at(t *testing.T, value any, path ...any) any {
	t.Helper()
	for i, step := range path {
		switch key := step.(type) {
		case string:
			fields, ok := value.(object)
			require.True(t, ok, "%v is no object", path[:i])
			value, ok = fields[key]
			require.True(t, ok, "there is no %v", path[:i+1])
		case int:
			list, ok := value.([]any)
			require.True(t, ok && key < len(list), "there is no %v", path[:i+1])
			value = list[key]
		}
	}
	return value
}

const deployment = "Deployment/" + release

// container is the one container of the Deployment.
func container(t *testing.T, all map[string]object) object {
	t.Helper()
	containers := at(t, all[deployment], "spec", "template", "spec", "containers").([]any)
	require.Len(t, containers, 1)
	return containers[0].(object)
}

// environment is a container's, by name.
func environment(t *testing.T, container object) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, entry := range container["env"].([]any) {
		name := at(t, entry, "name").(string)
		require.NotContains(t, found, name)
		found[name] = at(t, entry, "value").(string)
	}
	return found
}
