package helm_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// operator is where the definitions of ServiceMonitor and PrometheusRule are.
const operator = "github.com/prometheus-operator/prometheus-operator@v0.85.0"

// module is the folder of a Go module, some of which carry more than Go.
func module(t *testing.T, name string) string {
	t.Helper()
	command := exec.Command("go", "mod", "download", "-json", name)
	command.Dir = t.TempDir() // no go.mod
	out, err := command.Output()
	require.NoError(t, err, "%s", out)
	var found struct{ Dir string }
	require.NoError(t, json.Unmarshal(out, &found))
	return found.Dir
}

// definitions are the operator's, as they are given to a cluster.
func definitions(t *testing.T) []string {
	t.Helper()
	folder := filepath.Join(module(t, operator), "example", "prometheus-operator-crd")
	var found []string
	for _, kind := range []string{"servicemonitors", "prometheusrules"} {
		content, err := os.ReadFile(filepath.Join(folder, "monitoring.coreos.com_"+kind+".yaml"))
		require.NoError(t, err)
		found = append(found, string(content))
	}
	return found
}

// schemas writes one JSON schema for each kind, as kubeconform wants them, from
// Kubernetes' own description of its API and from the operator's. Unknown
// fields are refused: an API server drops them without a word.
func schemas(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	write := func(name string, schema any) {
		content, err := json.Marshal(schema)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(folder, strings.ToLower(name)+".json"), content, 0o600))
	}
	content, err := os.ReadFile(filepath.Join(module(t, "k8s.io/kubernetes@"+kubernetes), "api", "openapi-spec", "swagger.json"))
	require.NoError(t, err)
	var api struct{ Definitions map[string]object }
	require.NoError(t, json.Unmarshal(content, &api))
	for name, definition := range api.Definitions {
		refuseUnknown(definition)
		switch name { // these are text or number, which only their names say
		case "io.k8s.apimachinery.pkg.util.intstr.IntOrString", "io.k8s.apimachinery.pkg.api.resource.Quantity":
			definition["type"] = []string{"string", "integer"}
			delete(definition, "format")
		}
	}
	for name, definition := range api.Definitions {
		kinds, _ := definition["x-kubernetes-group-version-kind"].([]any)
		for _, kind := range kinds {
			if strings.HasPrefix(name, "io.k8s.api.") {
				write(at(t, kind, "kind").(string)+"-"+at(t, kind, "version").(string),
					object{"$ref": "#/definitions/" + name, "definitions": api.Definitions})
			}
		}
	}
	for _, text := range definitions(t) {
		var definition object
		require.NoError(t, yaml.Unmarshal([]byte(text), &definition))
		schema := at(t, definition, "spec", "versions", 0, "schema", "openAPIV3Schema").(object)
		refuseUnknown(schema)
		write(at(t, definition, "spec", "names", "kind").(string)+"-v1", schema)
	}
	return folder
}

func refuseUnknown(schema any) {
	switch value := schema.(type) {
	case object:
		if _, ok := value["properties"].(object); ok && value["additionalProperties"] == nil && value["x-kubernetes-preserve-unknown-fields"] == nil {
			value["additionalProperties"] = false
		}
		for _, below := range value {
			refuseUnknown(below)
		}
	case []any:
		for _, below := range value {
			refuseUnknown(below)
		}
	}
}

func kubeconform(t *testing.T, schemas, manifests string) (string, error) {
	t.Helper()
	command := exec.Command(tool(t, "kubeconform"), "-strict", "-summary", "-schema-location",
		schemas+"/{{.ResourceKind}}-{{.ResourceAPIVersion}}.json")
	command.Stdin = strings.NewReader(manifests)
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	err := command.Run()
	return out.String(), err
}

func TestRenderedFilesAreKubernetes(t *testing.T) {
	t.Parallel()
	folder := schemas(t)
	all := ""
	for _, values := range matrix {
		all += "---\n" + render(t, values) + "\n"
	}
	out, err := kubeconform(t, folder, all)
	require.NoError(t, err, out)
	t.Log(out)

	for _, broken := range [][2]string{{"runAsNonRoot: true", "runAsNonRoot: yess"}, {"enableServiceLinks:", "enableServiceLink:"}} {
		out, err := kubeconform(t, folder, strings.Replace(render(t, enough), broken[0], broken[1], 1))
		require.Error(t, err, "the check can fail")
		require.Contains(t, out, "Deployment ghscoped-service is invalid")
	}
}
