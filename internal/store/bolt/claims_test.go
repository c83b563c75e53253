package bolt_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/store"
	"github.com/ghscoped/ghscoped-service/internal/store/bolt"
)

// long is a claim that no test waits for.
const long = 24 * time.Hour

// claimAll is a process that claims what is due, and holds it until it is killed.
func claimAll(path string) error {
	held, err := bolt.Open(path, time.Now)
	if err != nil {
		return err
	}
	claimed, err := held.Claim(context(), kind, long, 1000)
	fmt.Println("claimed", len(claimed))
	_, _ = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, held.Close())
}

func TestOpenDropsTheClaimsOfAKilledProcess(t *testing.T) {
	t.Parallel()
	path := filled(t)
	before := open(t, path)
	written, err := before.List(t.Context(), kind, "", 1000)
	require.NoError(t, err)
	require.NoError(t, before.Close())

	process, _, out := startProcess(t, "claim", path)
	line, err := out.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "claimed 300\n", line)
	require.NoError(t, process.Kill())

	requireClaimable(t, path, written)
}

// An unclosed file's copy is what a node leaves that lost its power.
func TestOpenDropsTheClaimsInACopyOfAnOpenFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	b := open(t, path)
	fill(t, b, 20, 10)
	written, err := b.List(t.Context(), kind, "", 1000)
	require.NoError(t, err)
	claimed, err := b.Claim(t.Context(), kind, long, 1000)
	require.NoError(t, err)
	require.Len(t, claimed, 20)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	copied := filepath.Join(t.TempDir(), "store.db")
	require.NoError(t, os.WriteFile(copied, content, 0o600))

	_, err = bolt.Check(copied)
	require.NoError(t, err, "a file with claims is sound")
	after := requireClaimable(t, copied, written)
	_, err = after.Put(t.Context(), claimed[0])
	require.ErrorIs(t, err, store.ErrConflict, "what the dead process had is worthless")
}

// requireClaimable opens a store that had claims, and finds every record as it
// was written and ready to be claimed.
func requireClaimable(t *testing.T, path string, written []store.Record) *bolt.Store {
	t.Helper()
	after := open(t, path)
	found, err := after.List(t.Context(), kind, "", 1000)
	require.NoError(t, err)
	require.Len(t, found, len(written))
	for i, record := range found {
		require.Greater(t, record.Version, written[i].Version)
		record.Version = written[i].Version
		require.Equal(t, written[i], record)
	}
	claimed, err := after.Claim(t.Context(), kind, time.Minute, 1000)
	require.NoError(t, err)
	require.Len(t, claimed, len(written), "its claims are given back at once")
	return after
}

// Claims that cannot be dropped run out; the store is read meanwhile.
func TestOpenOnAFullDiskLeavesTheClaims(t *testing.T) {
	t.Parallel()
	path := filled(t)
	process, _, out := startProcess(t, "claim", path)
	_, err := out.ReadString('\n')
	require.NoError(t, err)
	require.NoError(t, process.Kill())

	_, out = startChild(t, "unwritable", path)
	said, err := io.ReadAll(out)
	require.NoError(t, err)
	require.Equal(t, "<nil>", strings.TrimSpace(string(said)))
	require.Len(t, claims(t, path), 0, "dropped when there is space")
}

// claims are the records that are claimed after a file was opened.
func claims(t *testing.T, path string) (claimed []store.Record) {
	t.Helper()
	records, err := open(t, path).List(t.Context(), kind, "", 1000)
	require.NoError(t, err)
	for _, record := range records {
		if !record.Claimed.IsZero() {
			claimed = append(claimed, record)
		}
	}
	return claimed
}
