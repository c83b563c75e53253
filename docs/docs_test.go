// Package docs has no code: its test keeps the documents true.
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
	"go.yaml.in/yaml/v3"
)

const root = ".."

// documents are the Markdown files of the project, without those of programs
// that were installed here.
func documents(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	read := func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || strings.HasPrefix(entry.Name(), ".") && path != root):
			return filepath.SkipDir
		case strings.HasSuffix(path, ".md"):
			content, err := os.ReadFile(path)
			found[path] = string(content)
			return err
		}
		return nil
	}
	require.NoError(t, filepath.WalkDir(root, read))
	require.Contains(t, found, "../README.md")
	return found
}

func TestRelativeLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#:]*)(#[^)]*)?\)`)
	all := documents(t)
	for path, text := range all {
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			target := path
			if match[1] != "" {
				target = filepath.Join(filepath.Dir(path), match[1])
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which is not there", path, match[1])
			} else if match[2] != "" && !slices.Contains(anchors(all[target]), match[2]) {
				t.Errorf("%s links to %s%s, which has no such heading", path, match[1], match[2])
			}
		}
	}
}

// anchors are a document's headings as GitHub makes links of them.
func anchors(text string) []string {
	var found []string
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		anchor := strings.ToLower(heading[1])
		anchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(anchor, "")
		found = append(found, "#"+strings.ReplaceAll(anchor, " ", "-"))
	}
	return found
}

func TestTestsThatADocumentNamesExist(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile("`(Test[A-Z]\\w+)`")
	exists := testNames(t)
	for path, text := range documents(t) {
		for _, match := range name.FindAllStringSubmatch(text, -1) {
			if !exists[match[1]] {
				t.Errorf("%s names %s, which is not there", path, match[1])
			}
		}
	}
}

func testNames(t *testing.T) map[string]bool {
	t.Helper()
	definition := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	found := map[string]bool{}
	for _, folder := range []string{"cmd", "demo", "internal", "test", "web"} {
		read := func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			content, err := os.ReadFile(path)
			for _, match := range definition.FindAllStringSubmatch(string(content), -1) {
				found[match[1]] = true
			}
			return err
		}
		require.NoError(t, filepath.WalkDir(filepath.Join(root, folder), read))
	}
	return found
}

func TestYAMLBlocksAreYAML(t *testing.T) {
	t.Parallel()
	block := regexp.MustCompile("(?s)```ya?ml\n(.*?)```")
	for path, text := range documents(t) {
		for _, match := range block.FindAllStringSubmatch(text, -1) {
			var value any
			require.NoError(t, yaml.Unmarshal([]byte(match[1]), &value), path)
		}
	}
}
