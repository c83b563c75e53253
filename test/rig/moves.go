package rig

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Moves notes each file that a program of the name mv puts in place. It is how
// a test counts how often a delivery wrote: the script in the server writes
// beside a file and then moves.
type Moves struct {
	notes string
	// Path is the search path on which that mv comes first.
	Path string
}

// WatchMoves makes such an mv for a test.
func WatchMoves(t testing.TB) Moves {
	t.Helper()
	folder := t.TempDir()
	m := Moves{notes: filepath.Join(folder, "notes"), Path: folder + string(os.PathListSeparator) + os.Getenv("PATH")}
	require.NoError(t, os.WriteFile(m.notes, nil, 0o600))
	mv, err := exec.LookPath("mv")
	require.NoError(t, err)
	text := fmt.Sprintf("#!/bin/sh\nfor last; do :; done\nlast=$(readlink -m -- \"$last\")\nprintf '%%s\\n' \"$last\" >>%s\nexec %s \"$@\"\n", m.notes, mv)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "mv"), []byte(text), 0o755))
	return m
}

// Count is how often file was put in place so far.
func (m Moves) Count(t testing.TB, file string) (count int) {
	t.Helper()
	content, err := os.ReadFile(m.notes)
	require.NoError(t, err)
	for line := range bytes.Lines(content) {
		if string(bytes.TrimSpace(line)) == file {
			count++
		}
	}
	return count
}
