package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAuditActionsAreInTheReference(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("reference.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(content), "\n## Audit events\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	var documented []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(section, -1) {
		documented = append(documented, row[1])
	}
	slices.Sort(documented)
	require.Equal(t, actionsOfTheCode(t), documented)
}

// actionsOfTheCode are those that the packages write which have something to
// audit: literals in flow, constants in bot.
func actionsOfTheCode(t *testing.T) []string {
	t.Helper()
	action := regexp.MustCompile(`(?:Action: +|\bAction[A-Z]\w* += +)"(\w+)"`)
	var found []string
	for _, folder := range []string{"app", "bot", "flow", "server"} {
		read := func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			content, err := os.ReadFile(path)
			for _, match := range action.FindAllStringSubmatch(string(content), -1) {
				found = append(found, match[1])
			}
			return err
		}
		require.NoError(t, filepath.WalkDir(filepath.Join(root, "internal", folder), read))
	}
	slices.Sort(found)
	return slices.Compact(found)
}
