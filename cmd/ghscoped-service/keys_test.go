package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/store"
	"github.com/ghscoped/ghscoped-service/internal/store/bolt"
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

func TestKeysAreMadeAndRotated(t *testing.T) {
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

	// For replicas: it opens everywhere before it seals anywhere.
	require.Equal(t, exitOK, call(t.Context(), nil, nil, nil, "keys", "add", path).code)
	added := keyLinesOf(t, path)
	require.Len(t, added, 3)
	require.Equal(t, []string{rotated[0], rotated[1]}, []string{added[0], added[2]})
	require.Equal(t, exitOK, call(t.Context(), nil, nil, nil, "keys", "promote", path).code)
	require.Equal(t, []string{added[1], added[0], added[2]}, keyLinesOf(t, path))
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

func TestAKeyIsPrintedWhereNoFileIsNamed(t *testing.T) {
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
		`there is no command ""`:        nil,
		`there is no command "make"`:    {"make"},
		"file exists":                   {"new", path},
		"no key file is named":          {"rotate"},
		"no such file":                  {"add", path + "-none"},
		"there is no second key":        {"promote", path},
		"open to others":                {"rotate", open},
		`there is no use for "another"`: {"rotate", path, "another"},
	} {
		before := keyLinesOf(t, path)
		got := call(t.Context(), nil, nil, nil, append([]string{"keys"}, args...)...)
		require.Equal(t, exitUsage, got.code, want)
		require.Contains(t, got.stderr, want)
		require.Equal(t, before, keyLinesOf(t, path))
	}
}

func TestAStoresFileIsCheckedAndCompacted(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ghscoped.db")
	opened, err := bolt.Open(path, time.Now)
	require.NoError(t, err)
	_, err = opened.Put(t.Context(), store.Record{Kind: store.KindUser, Key: "ada", Value: bytes.Repeat([]byte("x"), 1<<20)})
	require.NoError(t, err)

	held := call(t.Context(), []string{"GHSCOPED_STORE=bolt:" + path}, nil, nil, "store", "check")
	require.Equal(t, exitFault, held.code)
	require.Contains(t, held.stderr, "another process holds it")
	require.NoError(t, opened.Close())

	got := call(t.Context(), []string{"GHSCOPED_STORE=bolt:" + path}, nil, nil, "store", "check")
	require.Equal(t, exitOK, got.code, got.stderr)
	require.Regexp(t, `is whole: \d+ bytes, of which \d+ are free; records: .*user 1`, got.stdout)
	require.Equal(t, exitOK, call(t.Context(), nil, nil, nil, "store", "compact", path).code)

	require.NoError(t, os.Truncate(path, 8192))
	damaged := call(t.Context(), nil, nil, nil, "store", "check", path)
	require.Equal(t, exitFault, damaged.code)
	require.Contains(t, damaged.stderr, "it is damaged")
	require.Equal(t, exitFault, call(t.Context(), nil, nil, nil, "store", "check", path+"-none").code)
	require.Equal(t, exitUsage, call(t.Context(), []string{"GHSCOPED_STORE=redis://h"}, nil, nil, "store", "check").code)
	require.Equal(t, exitUsage, call(t.Context(), nil, nil, nil, "store", "mend").code)
}
