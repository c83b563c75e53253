package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/store"
)

func keyLinesOf(t *testing.T, path string) []string {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	var lines []string
	for line := range strings.Lines(string(content)) {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func TestKeysNewAndRotate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys")
	require.Equal(t, exitOK, call(t.Context(), nil, nil, nil, "keys", "new", path).code)
	requirePrivate(t, path, `^# `)
	first := keyLinesOf(t, path)
	require.Len(t, first, 1)
	sealed := ring(t, path).Seal("k", "a", []byte("kept"))

	// For one process: the new key seals at once.
	require.Equal(t, exitOK, call(t.Context(), nil, nil, nil, "keys", "rotate", path).code)
	rotated := keyLinesOf(t, path)
	require.Equal(t, first[0], rotated[1])
	require.False(t, ring(t, path).Current(sealed))

	requirePrivate(t, path, "")

	opened, err := ring(t, path).Open("k", "a", sealed)
	require.NoError(t, err)
	require.Equal(t, "kept", string(opened))
}

func ring(t *testing.T, path string) *store.Keyring {
	t.Helper()
	ring, err := store.LoadKeyring(path)
	require.NoError(t, err)
	return ring
}

func TestKeysNewPrintsAKeyWhereNoFileIsNamed(t *testing.T) {
	t.Parallel()
	got := call(t.Context(), nil, nil, nil, "keys", "new")
	require.Equal(t, exitOK, got.code)
	require.Regexp(t, `^[A-Za-z0-9+/]{43}=\n$`, got.stdout)
}

func TestKeysRefuses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, store.CreateKeyFile(path))
	open := filepath.Join(t.TempDir(), "open")
	require.NoError(t, store.CreateKeyFile(open))
	require.NoError(t, os.Chmod(open, 0o644))
	for want, args := range map[string][]string{
		"Available Commands":            nil,
		`did you mean rotate?`:          {"rotaet"},
		"file exists":                   {"new", path},
		"name the key file":             {"rotate"},
		"no such file":                  {"rotate", path + "-none"},
		"open to others":                {"rotate", open},
		`unexpected argument "another"`: {"rotate", path, "another"},
	} {
		before := keyLinesOf(t, path)
		got := call(t.Context(), nil, nil, nil, append([]string{"keys"}, args...)...)
		require.Equal(t, exitUsage, got.code, want)
		require.Contains(t, got.stderr, want)
		require.Equal(t, before, keyLinesOf(t, path))
	}
}
