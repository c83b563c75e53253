package helm_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// cluster is a real kube-apiserver with its etcd. Nothing runs pods: it judges
// and keeps what it is given.
type cluster struct {
	address    string // https://HOST:PORT
	kubeconfig string
	token      string
	http       *http.Client
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	folder := t.TempDir()
	etcd, peer := "http://"+rig.FreeAddress(t), "http://"+rig.FreeAddress(t)
	rig.Run(t, nil, tool(t, "etcd"), "--data-dir", folder+"/etcd", "--listen-client-urls", etcd, "--advertise-client-urls", etcd,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer,
		"--unsafe-no-fsync", "--log-level", "error")
	const token = "the-token-of-the-test"
	write := func(name, content string) string {
		path := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	key := write("accounts.key", accountKey(t))
	host, port, err := net.SplitHostPort(rig.FreeAddress(t))
	require.NoError(t, err)
	c := &cluster{
		address: "https://" + net.JoinHostPort(host, port), token: token,
		// The certificate is made at the start and thrown away: who is there is
		// known by the token.
		http: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}},
	}
	c.kubeconfig = write("kubeconfig", fmt.Sprintf(`
apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: %q, insecure-skip-tls-verify: true}}]
users: [{name: test, user: {token: %s}}]
contexts: [{name: test, context: {cluster: test, user: test}}]
current-context: test
`, c.address, token))
	rig.Run(t, nil, tool(t, "kube-apiserver"), "--etcd-servers", etcd, "--bind-address", host, "--secure-port", port, "--cert-dir", folder+"/tls",
		"--token-auth-file", write("tokens.csv", token+`,test,test,"system:masters"`+"\n"), "--authorization-mode", "RBAC",
		"--service-account-issuer", c.address, "--service-account-signing-key-file", key, "--service-account-key-file", key,
		"--service-cluster-ip-range", "10.0.0.0/24", "--advertise-address", "127.0.0.1", "--endpoint-reconciler-type", "none",
		"--disable-admission-plugins", "ServiceAccount") // nothing here makes service accounts
	require.Eventually(t, func() bool {
		status, _ := c.call(t, http.MethodGet, "/readyz", nil)
		return status == http.StatusOK
	}, hubtest.Patience, 100*time.Millisecond, "the API server is not ready")
	return c
}

func accountKey(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
}

// call does one request; 0 where nobody answers.
func (c *cluster) call(t *testing.T, method, path string, body any) (status int, answer []byte) {
	t.Helper()
	content, err := json.Marshal(body)
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), method, c.address+path, bytes.NewReader(content))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+c.token)
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return 0, nil
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, answer
}

// namespace makes one that refuses pods which are not confined.
func (c *cluster) namespace(t *testing.T, name string) {
	t.Helper()
	status, answer := c.call(t, http.MethodPost, "/api/v1/namespaces", object{
		"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": name, "labels": object{
			"pod-security.kubernetes.io/enforce":         "restricted",
			"pod-security.kubernetes.io/enforce-version": "latest",
		}},
	})
	require.Equal(t, http.StatusCreated, status, string(answer))
}

// define gives the cluster the kinds of the Prometheus operator.
func (c *cluster) define(t *testing.T) {
	t.Helper()
	for _, text := range definitions(t) {
		var definition object
		require.NoError(t, yaml.Unmarshal([]byte(text), &definition))
		status, answer := c.call(t, http.MethodPost, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
		require.Equal(t, http.StatusCreated, status, string(answer))
	}
	for _, kind := range []string{"servicemonitors", "prometheusrules"} {
		require.Eventually(t, func() bool {
			status, _ := c.call(t, http.MethodGet, "/apis/monitoring.coreos.com/v1/"+kind, nil)
			return status == http.StatusOK
		}, hubtest.Patience, 100*time.Millisecond, kind)
	}
}

// makePod does what the Deployment's controller would, and the test's hook.
func (c *cluster) makePod(t *testing.T, namespace string, pod object) (status int, answer string) {
	t.Helper()
	pod["apiVersion"], pod["kind"] = "v1", "Pod"
	code, body := c.call(t, http.MethodPost, "/api/v1/namespaces/"+namespace+"/pods?fieldValidation=Strict", pod)
	return code, string(body)
}

func TestChartIsTakenByARealCluster(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.define(t)
	for name, values := range matrix {
		namespace := strings.ToLower(strings.NewReplacer(" ", "-", "'", "").Replace(name))
		t.Run(name, func(t *testing.T) {
			c.namespace(t, namespace)
			with := func(values string) []string {
				return []string{release, chart, "--kubeconfig", c.kubeconfig, "--namespace", namespace, "--values", given(t, values)}
			}
			out, err := helm(t, append([]string{"install"}, with(values)...)...)
			require.NoError(t, err)
			require.NotContains(t, out, "would violate PodSecurity")
			require.Contains(t, out, overlayOf(t, notes(t, values)), "the notes are those that were checked")

			all := objects(t, render(t, values))
			template := at(t, all[deployment], "spec", "template").(object)
			template["metadata"].(object)["name"] = "of-the-deployment"
			status, answer := c.makePod(t, namespace, template)
			require.Equal(t, http.StatusCreated, status, answer)
			status, answer = c.makePod(t, namespace, all["Pod/"+release+"-doctor"])
			require.Equal(t, http.StatusCreated, status, answer)

			_, err = helm(t, append([]string{"upgrade"}, with(values+"\nnameOverride: \"\"")...)...)
			require.NoError(t, err, "an upgrade changes nothing that cannot be changed")
			_, err = helm(t, "uninstall", release, "--kubeconfig", c.kubeconfig, "--namespace", namespace)
			require.NoError(t, err)
		})
	}
	t.Run("from the file to Redis and back", c.moves)
	t.Run("as the README says", c.readme)
	t.Run("an unconfined pod is refused", func(t *testing.T) {
		template := at(t, objects(t, render(t, enough))[deployment], "spec", "template").(object)
		template["metadata"].(object)["name"] = "unconfined"
		delete(at(t, template, "spec", "containers", 0, "securityContext").(object), "capabilities")
		status, answer := c.makePod(t, "the-least", template)
		require.Equal(t, http.StatusForbidden, status)
		require.Contains(t, answer, "violates PodSecurity")
	})
}

// moves takes a release from the file to Redis and back.
func (c *cluster) moves(t *testing.T) {
	c.namespace(t, "moves")
	for i, values := range []string{enough, withRedis + "replicas: 3", enough} {
		_, err := helm(t, "upgrade", "--install", release, chart, "--kubeconfig", c.kubeconfig, "--namespace", "moves",
			"--values", given(t, values))
		require.NoError(t, err, "step %d", i)
	}
}
