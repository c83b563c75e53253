package helm_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/ghscoped/ghscoped-service/internal/config"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// ofTheChart are the settings that the chart sets itself: addresses, the store
// and the files of secrets.
var ofTheChart = []string{
	"hub_token_file", "proxy_url",
	"listen", "metrics_addr", "store", "key_file", "client_secret_file", "app_private_key_file", "bot_policy",
}

func TestSchemaAndWhatIsMadeFromItAreInStep(t *testing.T) {
	source := readSchema(t)
	inStep(t, chart+"/values.schema.json", schemaJSON(t, source))
	inStep(t, chart+"/values.yaml", valuesYAML(source))
	inStep(t, chart+"/README.md", readme(t, source))
	inStep(t, overlay, overlayFile(t)) // last: helm makes it of the others
}

func inStep(t *testing.T, path, made string) {
	t.Helper()
	rig.InStep(t, *update, path, made, "go test ./test/helm -run Made -update")
}

// readSchema is helm/values.schema.yaml with the service's settings below
// config.
func readSchema(t *testing.T) *yaml.Node {
	t.Helper()
	content, err := os.ReadFile(root + "/helm/values.schema.yaml")
	require.NoError(t, err)
	var document yaml.Node
	require.NoError(t, yaml.Unmarshal(content, &document))
	return document.Content[0]
}

// field is a mapping's value, or nil.
func field(node *yaml.Node, key string) *yaml.Node {
	for i := 0; node != nil && i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return node.Content[i+1]
		}
	}
	return nil
}

func text(node *yaml.Node, key string) string {
	if value := field(node, key); value != nil {
		return value.Value
	}
	return ""
}

// addPolicy takes the policy file's own schema in, so that helm refuses a
// mistake before a pod meets it.
func addPolicy(t *testing.T, schema object) {
	t.Helper()
	content, err := os.ReadFile(root + "/internal/bot/policy.schema.json")
	require.NoError(t, err)
	var policy object
	require.NoError(t, json.Unmarshal(content, &policy))
	for _, key := range []string{"$schema", "title", "description"} {
		delete(policy, key)
	}
	value := at(t, schema, "properties", "botPolicy").(object)
	value["if"], value["then"] = object{"minProperties": 1}, policy
}

// schemaJSON is what helm reads.
func schemaJSON(t *testing.T, source *yaml.Node) string {
	t.Helper()
	var schema object
	require.NoError(t, source.Decode(&schema))
	addPolicy(t, schema)
	settings := at(t, schema, "properties", "config", "properties").(object)
	known := []string{}
	for _, setting := range config.Table() {
		known = append(known, setting.Name)
		if setting.EnvOnly() || slices.Contains(ofTheChart, setting.Name) {
			continue
		}
		property, ok := settings[setting.Name].(object)
		if !ok {
			property = object{"type": []string{"string", "boolean", "integer", "array"}}
			settings[setting.Name] = property
		}
		property["description"] = setting.Doc
	}
	for name := range settings {
		require.Contains(t, known, name, "config.%s is no setting of the service", name)
	}
	for _, name := range ofTheChart {
		require.Contains(t, known, name, "the chart sets it, but it is no setting of the service")
	}
	closeObjects(schema, true)
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	require.NoError(t, encoder.Encode(schema))
	return out.String()
}

// closeObjects refuses unknown keys in every object whose properties are
// listed, and takes the marks of this file out.
func closeObjects(schema object, top bool) {
	delete(schema, "x-umbrella")
	properties, ok := schema["properties"].(object)
	if !ok {
		return
	}
	if schema["type"] == "object" || top {
		schema["additionalProperties"] = false
	}
	for _, property := range properties {
		closeObjects(property.(object), false)
	}
}

// valuesYAML is the defaults, each with its description.
func valuesYAML(source *yaml.Node) string {
	var b strings.Builder
	b.WriteString("# Made from helm/values.schema.yaml: change that.\n")
	writeValues(&b, source, "")
	return b.String()
}

func writeValues(b *strings.Builder, schema *yaml.Node, indent string) {
	properties := field(schema, "properties")
	for i := 0; i+1 < len(properties.Content); i += 2 {
		name, property := properties.Content[i].Value, properties.Content[i+1]
		if field(property, "x-umbrella") != nil {
			continue
		}
		if indent == "" {
			b.WriteString("\n")
		}
		for _, line := range wrap(text(property, "description"), 88-len(indent)) {
			fmt.Fprintf(b, "%s# %s\n", indent, line)
		}
		if otherwise := field(property, "default"); otherwise != nil {
			b.WriteString(strings.TrimRight(indent+name+": "+inline(otherwise), " ") + "\n")
			continue
		}
		fmt.Fprintf(b, "%s%s:\n", indent, name)
		writeValues(b, property, indent+"  ")
	}
}

// inline is a value on one line of YAML.
func inline(node *yaml.Node) string {
	if node.Kind == yaml.ScalarNode && node.Tag == "!!null" {
		return ""
	}
	flow(node)
	out, err := yaml.Marshal(node)
	if err != nil {
		return err.Error() // and the file does not load
	}
	return strings.TrimSpace(string(out))
}

func flow(node *yaml.Node) {
	node.Style &^= yaml.LiteralStyle | yaml.FoldedStyle
	if node.Kind != yaml.ScalarNode {
		node.Style |= yaml.FlowStyle
	}
	for _, below := range node.Content {
		flow(below)
	}
}

func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// readme is the chart's README with a new table.
func readme(t *testing.T, source *yaml.Node) string {
	t.Helper()
	content, err := os.ReadFile(chart + "/README.md")
	require.NoError(t, err)
	var b strings.Builder
	b.WriteString("| value | meaning | default |\n|---|---|---|\n")
	writeRows(&b, source, "")
	return rig.Between(t, string(content), "values", b.String())
}

func writeRows(b *strings.Builder, schema *yaml.Node, prefix string) {
	properties := field(schema, "properties")
	for i := 0; i+1 < len(properties.Content); i += 2 {
		name, property := prefix+properties.Content[i].Value, properties.Content[i+1]
		switch otherwise := field(property, "default"); {
		case field(property, "x-umbrella") != nil:
		case otherwise == nil:
			writeRows(b, property, name+".")
		default:
			meaning := strings.ReplaceAll(text(property, "description"), "|", `\|`)
			value := inline(otherwise)
			if value != "" {
				value = "`" + strings.ReplaceAll(value, "|", `\|`) + "`"
			}
			fmt.Fprintf(b, "| `%s` | %s | %s |\n", name, meaning, value)
		}
	}
}

const (
	overlayBegin = "# --- begin: values for JupyterHub ---\n"
	overlayEnd   = "# --- end: values for JupyterHub ---"
)

// notes are what helm tells a person after the installation. Without a cluster
// helm does not show them: so they are rendered as a part of a copy of the chart.
func notes(t *testing.T, values ...string) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "chart")
	require.NoError(t, os.CopyFS(folder, os.DirFS(chart)))
	told, err := os.ReadFile(filepath.Join(folder, "templates", "NOTES.txt"))
	require.NoError(t, err)
	for name, content := range map[string]string{
		"_notes.tpl": `{{ define "notes" }}` + string(told) + "{{ end }}",
		"notes.yaml": `notes: {{ include "notes" . | toJson }}`,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, "templates", name), []byte(content), 0o600))
	}
	args := []string{"template", release, folder, "--kube-version", kubernetes, "--namespace", "hub",
		"--show-only", "templates/notes.yaml"}
	for _, more := range values {
		args = append(args, "--values", given(t, more))
	}
	out, err := helm(t, args...)
	require.NoError(t, err)
	var rendered struct{ Notes string }
	require.NoError(t, yaml.Unmarshal([]byte(out), &rendered))
	return rendered.Notes
}

// overlayOf are the values for JupyterHub in them.
func overlayOf(t *testing.T, notes string) string {
	t.Helper()
	_, rest, found := strings.Cut(notes, overlayBegin)
	require.True(t, found)
	values, _, found := strings.Cut(rest, overlayEnd)
	require.True(t, found)
	return values
}

func overlayFile(t *testing.T) string {
	t.Helper()
	return "# The values to merge into a release of Zero to JupyterHub, for a release of this\n" +
		"# chart named " + release + " in the same namespace, in push mode. For other names\n" +
		"# and for pull mode, take those that helm prints when it installs this chart.\n" +
		"#\n# Made from the chart: go test ./test/helm -run Made -update\n" +
		overlayOf(t, notes(t, enough))
}
