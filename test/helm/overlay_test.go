package helm_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// z2jh is the folder with values.schema.yaml and values.yaml of Zero to
// JupyterHub, which are no part of this project: the one that Z2JH_CHART names,
// or one beside the checkout.
func z2jh(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("Z2JH_CHART")
	if folder == "" {
		folder = root + "/../shared/z2jh"
	}
	require.FileExists(t, filepath.Join(folder, "values.schema.yaml"), "check out github.com/jupyterhub/zero-to-jupyterhub-k8s "+
		"at the commit that .github/workflows/ci.yml names, and set Z2JH_CHART to the full path of its folder jupyterhub")
	return folder
}

// jupyterhub is a chart with the values and the schema of Zero to JupyterHub,
// and no templates: helm judges values as it would for the whole.
func jupyterhub(t *testing.T) string {
	t.Helper()
	theirs, folder := z2jh(t), t.TempDir()
	read := func(name string) []byte {
		content, err := os.ReadFile(filepath.Join(theirs, name))
		require.NoError(t, err)
		return content
	}
	var schema any
	require.NoError(t, yaml.Unmarshal(read("values.schema.yaml"), &schema))
	asJSON, err := json.Marshal(schema)
	require.NoError(t, err)
	for name, content := range map[string][]byte{
		"Chart.yaml":         []byte("{apiVersion: v2, name: jupyterhub, version: 0.0.1}"),
		"values.yaml":        read("values.yaml"),
		"values.schema.json": asJSON,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), content, 0o600))
	}
	return folder
}

func TestOverlayFitsZeroToJupyterHub(t *testing.T) {
	t.Parallel()
	hub := jupyterhub(t)
	content, err := os.ReadFile(overlay)
	require.NoError(t, err)
	overlays := map[string]string{"the file": string(content)}
	for name, values := range matrix {
		overlays[name] = overlayOf(t, notes(t, values))
	}
	for name, values := range overlays {
		_, err := helm(t, "template", hub, "--values", given(t, values))
		require.NoError(t, err, name)
	}
	for wrong, at := range map[string][2]string{
		"hub":        {"templatePaths:", "at '/hub': additional properties 'templatePath' not allowed"},
		"singleuser": {"extraEnv:", "at '/singleuser': additional properties 'extraEn' not allowed"},
	} {
		name, says := at[0], at[1]
		broken := strings.Replace(string(content), name, name[:len(name)-2]+":", 1)
		_, err := helm(t, "template", hub, "--values", given(t, broken))
		require.ErrorContains(t, err, says, "%s: the check can fail", wrong)
	}
}

// docs/images.md has lines of its own, for who runs the service in another way.
func TestDocumentFitsZeroToJupyterHub(t *testing.T) {
	t.Parallel()
	hub := jupyterhub(t)
	content, err := os.ReadFile(root + "/docs/images.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(content), -1)
	require.Len(t, blocks, 3)
	blocks[2][1] = "singleuser:\n" + blocks[2][1] // it is a part of the one before
	for _, block := range blocks {
		_, err := helm(t, "template", hub, "--values", given(t, block[1]))
		require.NoError(t, err, block[1])
	}
	_, err = helm(t, "template", hub, "--values", given(t, strings.Replace(blocks[2][1], "extraFiles", "extraFile", 1)))
	require.ErrorContains(t, err, "at '/singleuser': additional properties 'extraFile' not allowed", "the check can fail")
}

func TestOverlayFollowsTheValues(t *testing.T) {
	t.Parallel()
	read := func(values string) object {
		var overlay object
		require.NoError(t, yaml.Unmarshal([]byte(overlayOf(t, notes(t, values))), &overlay))
		return overlay
	}
	t.Run("push asks for servers and brings the helper", func(t *testing.T) {
		t.Parallel()
		overlay := read(enough)
		require.Contains(t, at(t, overlay, "hub", "services", "connect-github", "oauth_client_allowed_scopes"), "tokens!user")
		require.Equal(t, []any{"install", "/opt/ghscoped"}, at(t, overlay, "singleuser", "initContainers", 0, "args"))
		require.Equal(t, "/opt/ghscoped/ghscoped git-credential-ghscoped", at(t, overlay, "singleuser", "extraEnv", "GIT_CONFIG_VALUE_1"))
	})
	t.Run("pull asks for no servers and brings the helper", func(t *testing.T) {
		t.Parallel()
		overlay := read(enough + "  delivery: pull\n  github_url: https://github.example.org\n")
		require.Equal(t, []any{"read:users!user"}, at(t, overlay, "hub", "services", "connect-github", "oauth_client_allowed_scopes"))
		require.Equal(t, []any{"install", "/opt/ghscoped"}, at(t, overlay, "singleuser", "initContainers", 0, "args"))
		require.Equal(t, object{
			"GHSCOPED_URL":        "http://ghscoped-service:8080/services/connect-github/",
			"GHSCOPED_GITHUB_URL": "https://github.example.org",
			"GIT_CONFIG_COUNT":    "2",
			"GIT_CONFIG_KEY_0":    "credential.https://github.example.org.helper", "GIT_CONFIG_VALUE_0": "",
			"GIT_CONFIG_KEY_1":   "credential.https://github.example.org.helper",
			"GIT_CONFIG_VALUE_1": "/opt/ghscoped/ghscoped git-credential-ghscoped",
		}, at(t, overlay, "singleuser", "extraEnv"))
	})
	t.Run("one repository at a time is named by git", func(t *testing.T) {
		t.Parallel()
		environ := at(t, read(matrix["one repository"]), "singleuser", "extraEnv")
		require.Subset(t, environ, object{"GIT_CONFIG_COUNT": "3",
			"GIT_CONFIG_KEY_2": "credential.https://github.com.useHttpPath", "GIT_CONFIG_VALUE_2": "true"})
	})
	t.Run("settings in a Secret are not seen", func(t *testing.T) {
		t.Parallel()
		const said = "config.yaml cannot be seen here"
		require.Contains(t, notes(t, matrix["settings in a Secret"]), said)
		require.NotContains(t, notes(t, matrix["the web flow"]), said)
	})
	t.Run("names, port and base path", func(t *testing.T) {
		t.Parallel()
		overlay := read(enough + "hub: {service: github, baseUrl: /lab/}\nfullnameOverride: connect\nservice: {port: 80}")
		require.Equal(t, "http://connect:80", at(t, overlay, "hub", "services", "github", "url"))
		require.Equal(t, "http://connect:80/lab/services/github/", at(t, overlay, "singleuser", "extraEnv", "GHSCOPED_URL"))
	})
	t.Run("its rules find our pods", func(t *testing.T) {
		t.Parallel()
		labels := at(t, objects(t, render(t, enough))[deployment], "spec", "template", "metadata", "labels")
		rule := []any{"networkPolicy", "egress", 0}
		for _, place := range [][]any{{"hub"}, {"proxy", "chp"}, {"singleuser"}} {
			egress := at(t, read(enough+"service: {port: 80}"), append(place, rule...)...)
			require.Subset(t, labels, at(t, egress, "to", 0, "podSelector", "matchLabels"))
			require.Equal(t, 8080, at(t, egress, "ports", 0, "port"), "the pod's port, not the Service's")
		}
	})
}
