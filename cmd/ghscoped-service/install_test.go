package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestInstallReplacesTheCommandAndItsName(t *testing.T) {
	t.Parallel()
	source, folder := t.TempDir(), t.TempDir()
	for _, content := range []string{"first", "second"} {
		require.NoError(t, os.WriteFile(filepath.Join(source, "ghscoped"), []byte(content), 0o700))
		require.NoError(t, installFrom(source, folder))
		for _, name := range []string{"ghscoped", "git-credential-ghscoped"} {
			installed, err := os.ReadFile(filepath.Join(folder, name))
			require.NoError(t, err)
			require.Equal(t, content, string(installed))
		}
	}
	info, err := os.Stat(filepath.Join(folder, "ghscoped"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o755), info.Mode().Perm(), "users are others")
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, entries, 2, "nothing is left over")
}

func TestInstallSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	require.Equal(t, exitUsage, call(t.Context(), nil, nil, nil, "install").code)
	got := call(t.Context(), nil, nil, nil, "install", t.TempDir())
	require.Equal(t, exitFault, got.code)
	require.Contains(t, got.stderr, "ghscoped: no such file or directory")
}
