package docs_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/ghscoped/ghscoped-service/"

// A row of a table of packages: the package first, what it imports last.
var (
	packageRow = regexp.MustCompile("(?m)^\\| `((?:internal|web)[a-z/]*)` \\|.*\\| ([^|]+) \\|$")
	quoted     = regexp.MustCompile("`([a-z/]+)`")
)

func TestPackagesImportWhatTheArchitectureSays(t *testing.T) {
	content, err := os.ReadFile(root + "/ARCHITECTURE.md")
	require.NoError(t, err)
	said := map[string]string{}
	for _, row := range packageRow.FindAllStringSubmatch(string(content), -1) {
		said[row[1]] = row[2]
	}
	for name, imports := range packagesOf(t) {
		require.Contains(t, said, name, "a package that no table names")
		if said[name] == "everything below" {
			continue
		}
		var names []string
		for _, name := range quoted.FindAllStringSubmatch(said[name], -1) {
			names = append(names, name[1])
		}
		require.ElementsMatch(t, imports, names, name)
	}
}

// packagesOf lists the packages, each with what it imports of the others.
func packagesOf(t *testing.T) map[string][]string {
	t.Helper()
	list := exec.Command("go", "list", "-json=ImportPath,Imports", "./internal/...", "./web")
	list.Dir = root
	out, err := list.Output()
	require.NoError(t, err)
	found := map[string][]string{}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); decoder.More(); {
		var listed struct {
			ImportPath string
			Imports    []string
		}
		require.NoError(t, decoder.Decode(&listed))
		imports := []string{}
		for _, path := range listed.Imports {
			if ours, found := strings.CutPrefix(path, module); found {
				imports = append(imports, strings.TrimPrefix(ours, "internal/"))
			}
		}
		found[strings.TrimPrefix(listed.ImportPath, module)] = imports
	}
	require.NotEmpty(t, found)
	return found
}
