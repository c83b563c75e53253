package rig

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// InStep compares a file with what was made for it; where update says so, it
// writes it. Anew is the command that does.
func InStep(t testing.TB, update bool, path, made, anew string) {
	t.Helper()
	if update {
		require.NoError(t, os.WriteFile(path, []byte(made), 0o644))
		return
	}
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, made, string(content), "%s: make it anew: %s", path, anew)
}

// Between is a document with what was made between its marks:
//
//	<!-- NAME: … -->
//
//	what was made
//
//	<!-- /NAME -->
func Between(t testing.TB, document, name, made string) string {
	t.Helper()
	part := regexp.MustCompile(`(?s)(<!-- ` + name + `: [^\n]*-->\n).*?(<!-- /` + name + ` -->)`)
	require.Regexp(t, part, document)
	return part.ReplaceAllStringFunc(document, func(old string) string {
		marks := part.FindStringSubmatch(old)
		return marks[1] + "\n" + made + "\n" + marks[2]
	})
}
