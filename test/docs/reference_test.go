package docs_test

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/ghscoped/ghscoped-service/test/rig"
)

var update = flag.Bool("update", false, "write what the reference repeats from the code anew")

func TestReferenceIsThatOfTheCode(t *testing.T) {
	path := root + "/docs/reference.md"
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	made := rig.Between(t, string(content), "commands", commandTable(t))
	made = rig.Between(t, made, "routes", routeTable(t))
	rig.InStep(t, *update, path, made, "go test ./test/docs -run Reference -update")
}

func commandTable(t *testing.T) string {
	t.Helper()
	out, err := exec.Command(service, "help").Output()
	require.NoError(t, err)
	_, list, found := strings.Cut(string(out), "\nAvailable Commands:\n")
	require.True(t, found)
	list, _, _ = strings.Cut(list, "\n\n")
	table := "| command | what it does |\n|---|---|\n"
	for line := range strings.Lines(list) {
		name, does, _ := strings.Cut(strings.TrimSpace(line), " ")
		table += fmt.Sprintf("| `%s` | %s |\n", name, strings.TrimSpace(does))
	}
	return table
}

func routeTable(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(root + "/internal/server/openapi.yaml")
	require.NoError(t, err)
	var contract struct {
		Paths map[string]map[string]yaml.Node `yaml:"paths"`
	}
	require.NoError(t, yaml.Unmarshal(content, &contract))
	type row struct{ path, method, summary string }
	var rows []row
	order := []string{"get", "post", "delete"}
	for path, methods := range contract.Paths {
		for method, node := range methods {
			var operation struct {
				Summary string `yaml:"summary"`
			}
			if !slices.Contains(order, method) {
				continue
			}
			require.NoError(t, node.Decode(&operation))
			require.NotEmpty(t, operation.Summary, path)
			rows = append(rows, row{path, method, operation.Summary})
		}
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(slices.Index(order, a.method), slices.Index(order, b.method)))
	})
	table := "| route | what it does |\n|---|---|\n"
	for _, r := range rows {
		table += fmt.Sprintf("| `%s .%s` | %s |\n", strings.ToUpper(r.method), r.path, strings.TrimSpace(r.summary))
	}
	return table
}
