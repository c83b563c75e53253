package docs_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/test/rig"
)

const root = "../.."

// Programs under test, built once.
var service, command string

func TestMain(m *testing.M) {
	rig.Main(m, rig.Building(map[*string]string{&service: "cmd/ghscoped-service", &command: "cmd/ghscoped"}))
}

// block is a fenced block of a document.
type block struct {
	path, language, text string
	line                 int
	// mark is the word of the comment <!-- test: … --> before it.
	mark string
}

func (b block) String() string { return fmt.Sprintf("%s:%d", b.path, b.line) }

var fence = regexp.MustCompile("(?ms)^(?:<!-- test: (\\w+) -->\n)?( *)```(\\w+)\n(.*?)^ *```$")

// blocks are all fenced blocks of the documents, without their indentation.
func blocks(t *testing.T) []block {
	t.Helper()
	var found []block
	read := func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || strings.HasPrefix(entry.Name(), ".") && path != root):
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".md"):
			return nil
		}
		content, err := os.ReadFile(path)
		for _, at := range fence.FindAllSubmatchIndex(content, -1) {
			part := func(i int) string {
				if at[2*i] < 0 {
					return ""
				}
				return string(content[at[2*i]:at[2*i+1]])
			}
			found = append(found, block{path: strings.TrimPrefix(path, root+"/"), mark: part(1), language: part(3),
				text: unindent(part(4), part(2)), line: 1 + strings.Count(string(content[:at[0]]), "\n")})
		}
		return err
	}
	require.NoError(t, filepath.WalkDir(root, read))
	require.NotEmpty(t, found)
	return found
}

func unindent(text, by string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimPrefix(line, by))
	}
	return b.String()
}

func inLanguage(t *testing.T, language string) []block {
	t.Helper()
	var found []block
	for _, b := range blocks(t) {
		if b.language == language {
			found = append(found, b)
		}
	}
	require.NotEmpty(t, found)
	return found
}

// marked is the one block of a document with a mark.
func marked(t *testing.T, path, mark string) string {
	t.Helper()
	for _, b := range blocks(t) {
		if b.path == path && b.mark == mark {
			return b.text
		}
	}
	t.Fatalf("%s has no block marked %s", path, mark)
	return ""
}

func TestBlocksOfEveryLanguageAreLookedAt(t *testing.T) {
	t.Parallel()
	looked := map[string]bool{
		"sh": true, "console": true, "python": true, "html": true, "json": true, "dockerfile": true, "ini": true, // here
		"yaml": true, // docs, test/helm
		"text": true, // what programs print: test/ghscoped, or a drawing
	}
	for _, b := range blocks(t) {
		require.True(t, looked[b.language], "%v is in %s, which no test reads", b, b.language)
	}
}
