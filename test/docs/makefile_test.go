package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A test that tries some of its cases with -short, and is not in the Makefile's
// list, would never try the others.
func TestMakefileSweepsAllThatShortLeavesOut(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile(root + "/Makefile")
	require.NoError(t, err)
	list := regexp.MustCompile(`(?m)^SWEEPS := (.+)$`).FindSubmatch(makefile)
	require.NotNil(t, list)
	listed := strings.Split(string(list[1]), "|")

	var found, exist []string
	for _, path := range testFiles(t) {
		if strings.HasPrefix(path, "internal/deliver/") { // the Makefile has all of it run
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, path), nil, 0)
		require.NoError(t, err)
		for _, declaration := range file.Decls {
			f, ok := declaration.(*ast.FuncDecl)
			if !ok || !strings.HasPrefix(f.Name.Name, "Test") {
				continue
			}
			exist = append(exist, f.Name.Name)
			if triesSome(f) {
				found = append(found, f.Name.Name)
			}
		}
	}
	require.Greater(t, len(found), 10)
	require.Subset(t, listed, found)
	require.Subset(t, exist, listed)
}

func testFiles(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("git", "-C", root, "ls-files", "*_test.go").Output()
	require.NoError(t, err)
	return strings.Fields(string(out))
}

// triesSome reports whether a function calls one of those that look for -short.
func triesSome(f *ast.FuncDecl) (some bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		switch called := call.Fun.(type) {
		case *ast.Ident:
			some = some || called.Name == "stride"
		case *ast.SelectorExpr:
			some = some || called.Sel.Name == "Some" || called.Sel.Name == "Short"
		}
		return true
	})
	return some
}
