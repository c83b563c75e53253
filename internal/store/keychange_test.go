package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/audit"
	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/store"
)

// TestRotateReplicasInTwoSteps: at no time does one replica seal what another
// one, which runs with the file of the step before, cannot open.
func TestRotateReplicasInTwoSteps(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys")
	old, next := store.NewKey().Reveal(), store.NewKey().Reveal()
	var steps []*store.Keyring
	for _, lines := range [][]string{{old}, {old, next}, {next, old}} { // as docs/operations.md has them
		require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
		steps = append(steps, load(t, path))
	}
	for i := range len(steps) - 1 {
		for _, pair := range [][2]*store.Keyring{{steps[i], steps[i+1]}, {steps[i+1], steps[i]}} {
			opened, err := pair[1].Open("k", "a", pair[0].Seal("k", "a", []byte("shared")))
			require.NoError(t, err)
			require.Equal(t, "shared", string(opened))
		}
	}
	first := steps[0].Seal("k", "a", nil)
	require.True(t, steps[1].Current(first), "the new key does not seal yet")
	require.False(t, steps[2].Current(first), "now it does")
}

func load(t *testing.T, path string) *store.Keyring {
	t.Helper()
	ring, err := store.LoadKeyring(path)
	require.NoError(t, err)
	return ring
}

func TestEventsAreSealedAnewToo(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	older := store.NewKey()
	before, err := store.NewKeyring(older)
	require.NoError(t, err)
	require.NoError(t, store.NewEvents(f, before).Add(t.Context(), audit.Event{Time: f.clock.Now(), Action: "delivered"}))

	newer := store.NewKey()
	both, err := store.NewKeyring(newer, older)
	require.NoError(t, err)
	_, err = store.Reseal(t.Context(), f, both)
	require.NoError(t, err)
	only, err := store.NewKeyring(newer)
	require.NoError(t, err)
	events, err := store.NewEvents(f, only).Recent(t.Context(), 10)
	require.NoError(t, err)
	require.Len(t, events, 1)
}

func TestVerifyLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	require.NoError(t, store.Try(t.Context(), f, newKeyring(t)), "an empty store fits every key")
	records, err := f.List(t.Context(), store.KindCheck, "", 10)
	require.NoError(t, err)
	require.Empty(t, records)
	require.NoError(t, store.Verify(t.Context(), f, f.keys))
	require.NoError(t, store.Try(t.Context(), f, f.keys))
	require.ErrorIs(t, store.Try(t.Context(), f, newKeyring(t)), store.ErrWrongKey)
}

func TestRotateKeepsTheFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, link := filepath.Join(dir, "keys"), filepath.Join(dir, "link")
	one, two := store.NewKey().Reveal(), store.NewKey().Reveal()
	require.NoError(t, os.WriteFile(path, []byte("# ours\n\n"+one+"\n# next\n"+two), 0o600))
	require.NoError(t, os.Symlink(path, link))
	owner := os.Getuid()
	if owner == 0 {
		owner = 12345 // root rotates the file of the service's user
	}
	require.NoError(t, os.Chown(path, owner, -1))

	require.NoError(t, store.Rotate(link))
	ring := load(t, link)
	for _, key := range []string{one, two} {
		old, err := store.NewKeyring(secret.New(key))
		require.NoError(t, err)
		_, err = ring.Open("k", "a", old.Seal("k", "a", nil))
		require.NoError(t, err, "every key is kept")
	}
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(content), "# ours\n\n")
	require.Contains(t, string(content), "# next\n")
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, owner, info.Sys().(*syscall.Stat_t).Uid)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 2, "the link is a link still, and nothing is left behind")
	info, err = os.Lstat(link)
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&os.ModeSymlink)
}

func TestCreateKeyFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "keys")
	require.ErrorIs(t, store.CreateKeyFile(filepath.Join(dir, "missing", "keys")), os.ErrNotExist)
	require.NoError(t, store.CreateKeyFile(path))
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	require.ErrorIs(t, store.CreateKeyFile(path), os.ErrExist)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after, "a key that is in use is never replaced")
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

func TestEnsureKeyringWhereNoFileCanBe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := store.EnsureKeyring(filepath.Join(dir, "missing", "keys"))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "making the key file")
	// A link to nowhere: no file is there, and none can be made.
	path := filepath.Join(dir, "keys")
	require.NoError(t, os.Symlink(filepath.Join(dir, "nowhere"), path))
	_, err = store.EnsureKeyring(path)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.Chmod(dir, 0o700))
	_, err = store.LoadKeyring(dir)
	require.ErrorIs(t, err, syscall.EISDIR)
}
