package store_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/store"
)

func TestSealedValueOpensOnlyWhereItBelongs(t *testing.T) {
	t.Parallel()
	ring := newKeyring(t)
	sealed := ring.Seal("user", "ann", []byte("clear"))
	clear, err := ring.Open("user", "ann", sealed)
	require.NoError(t, err)
	require.Equal(t, "clear", string(clear))
	require.NotContains(t, string(sealed), "clear")
	require.NotEqual(t, sealed, ring.Seal("user", "ann", []byte("clear")), "no two sealings are alike")

	for name, try := range map[string]struct {
		ring      *store.Keyring
		kind, key string
		sealed    []byte
		want      error
	}{
		"another owner":        {ring, "user", "bob", sealed, store.ErrAltered},
		"another kind":         {ring, "session", "ann", sealed, store.ErrAltered},
		"kind and key run on":  {ring, "use", "r\x00ann", sealed, store.ErrAltered},
		"a changed byte":       {ring, "user", "ann", flip(sealed, len(sealed)-1), store.ErrAltered},
		"a changed nonce":      {ring, "user", "ann", flip(sealed, 12), store.ErrAltered},
		"a changed key id":     {ring, "user", "ann", flip(sealed, 3), store.ErrWrongKey},
		"a later format":       {ring, "user", "ann", flip(sealed, 0), store.ErrAltered},
		"a part":               {ring, "user", "ann", sealed[:20], store.ErrAltered},
		"less than a key id":   {ring, "user", "ann", sealed[:5], store.ErrAltered},
		"nothing":              {ring, "user", "ann", nil, store.ErrAltered},
		"a value never sealed": {ring, "user", "ann", []byte(`{"name":"ann","and":"so on"}`), store.ErrAltered},
		"a keyring without it": {newKeyring(t), "user", "ann", sealed, store.ErrWrongKey},
	} {
		clear, err := try.ring.Open(store.Kind(try.kind), try.key, try.sealed)
		require.ErrorIs(t, err, try.want, name)
		require.Nil(t, clear, name)
	}
}

func flip(value []byte, at int) []byte {
	value = bytes.Clone(value)
	value[at] ^= 1
	return value
}

func TestKeyringSealsWithTheFirstKeyAndOpensWithAll(t *testing.T) {
	t.Parallel()
	older, newer := store.NewKey(), store.NewKey()
	before, err := store.NewKeyring(older)
	require.NoError(t, err)
	after, err := store.NewKeyring(newer, older)
	require.NoError(t, err)

	sealed := before.Seal("user", "ann", []byte("clear"))
	clear, err := after.Open("user", "ann", sealed)
	require.NoError(t, err)
	require.Equal(t, "clear", string(clear))
	require.True(t, before.Current(sealed))
	require.False(t, after.Current(sealed))
	require.True(t, after.Current(after.Seal("user", "ann", clear)))
	_, err = before.Open("user", "ann", after.Seal("user", "ann", clear))
	require.ErrorIs(t, err, store.ErrWrongKey)

	old, err := before.Derive("cookie", 64)
	require.NoError(t, err)
	rotated, err := after.Derive("cookie", 64)
	require.NoError(t, err)
	require.Len(t, rotated, 2)
	require.Len(t, rotated[0], 64)
	require.Equal(t, old[0], rotated[1], "what the older key signed stays valid")
	require.NotEqual(t, rotated[0], rotated[1])
	state, err := after.Derive("state", 64)
	require.NoError(t, err)
	require.NotEqual(t, rotated, state, "each purpose has keys of its own")
}

func TestKeyringDoesNotPrintItsKeys(t *testing.T) {
	t.Parallel()
	key := secret.New(strings.Repeat("QUFB", 10) + "QUE=") // 32 times "A"
	ring, err := store.NewKeyring(key)
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		printed := fmt.Sprintf(verb, ring)
		for _, clear := range []string{"AAAA", "QUFB", "41414141", "65 65", "0x41, 0x41"} {
			require.NotContains(t, printed, clear, verb)
		}
	}
}

func TestEnsureKeyringMakesAKeyFileOnceAndKeepsIt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ghscoped.key")
	var (
		group sync.WaitGroup
		rings [8]*store.Keyring
	)
	for i := range rings {
		group.Go(func() {
			ring, err := store.EnsureKeyring(path)
			if err != nil {
				t.Errorf("starting: %v", err)
			}
			rings[i] = ring
		})
	}
	group.Wait()
	sealed := rings[0].Seal("user", "ann", []byte("clear"))
	for _, ring := range rings {
		require.True(t, ring.Current(sealed), "processes that start at once share the key")
	}
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing else is left behind")
}

func TestRotatePutsANewKeyFirstAndKeepsTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys")
	older := store.NewKey().Reveal()
	require.NoError(t, os.WriteFile(path, []byte("# ours\n\n  "+older+"  \n"), 0o640))
	require.NoError(t, os.Chmod(path, 0o440))
	before, err := store.LoadKeyring(path)
	require.NoError(t, err)
	sealed := before.Seal("user", "ann", []byte("clear"))

	require.NoError(t, store.Rotate(path))
	after, err := store.LoadKeyring(path)
	require.NoError(t, err)
	require.False(t, after.Current(sealed))
	_, err = after.Open("user", "ann", sealed)
	require.NoError(t, err)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(content), "# ours\n")
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o440), info.Mode().Perm())
}

func TestLoadKeyringRefusesAKeyFileThatCannotBeTrusted(t *testing.T) {
	t.Parallel()
	good := store.NewKey().Reveal() + "\n"
	for name, try := range map[string]struct {
		content string
		mode    os.FileMode
		want    string
	}{
		"readable by all":       {good, 0o604, "chmod 600"},
		"writable by the group": {good, 0o620, "chmod 600"},
		"empty":                 {"", 0o600, "no key"},
		"only comments":         {"# later\n", 0o600, "no key"},
		"a short key":           {"c2hvcnQ=\n", 0o600, "key 1 is not 32 bytes"},
		"not base64":            {good + "what?\n", 0o600, "key 2 is not 32 bytes"},
	} {
		path := filepath.Join(t.TempDir(), "keys")
		require.NoError(t, os.WriteFile(path, []byte(try.content), 0o600))
		require.NoError(t, os.Chmod(path, try.mode))
		for _, load := range []func(string) (*store.Keyring, error){store.LoadKeyring, store.EnsureKeyring} {
			_, err := load(path)
			require.ErrorContains(t, err, try.want, name)
			require.ErrorContains(t, err, path, name)
			require.NotContains(t, err.Error(), strings.TrimSpace(good), name)
		}
		require.Error(t, store.Rotate(path), name)
	}

	path := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, os.WriteFile(path, []byte(good), 0o600))
	require.NoError(t, os.Chmod(path, 0o440))
	_, err := store.LoadKeyring(path)
	require.NoError(t, err, "a mounted Secret is readable by its group")
	_, err = store.EnsureKeyring(path)
	require.ErrorContains(t, err, "chmod 600", "a file of the service's own need not be")
	_, err = store.LoadKeyring(path + ".missing")
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorIs(t, store.Rotate(path+".missing"), os.ErrNotExist)
}

func TestNewKeyringRefusesAKeyWithMoreBehindIt(t *testing.T) {
	t.Parallel()
	_, err := store.NewKeyring(secret.New(store.NewKey().Reveal() + "!"))
	require.ErrorContains(t, err, "key 1 is not 32 bytes")
}

func TestDeriveOfMoreThanThereIs(t *testing.T) {
	t.Parallel()
	_, err := newKeyring(t).Derive("cookie", 1<<20)
	require.ErrorContains(t, err, "cookie")
}

func TestCurrentOfWhatWasNeverSealed(t *testing.T) {
	t.Parallel()
	ring := newKeyring(t)
	sealed := ring.Seal("user", "ann", nil)
	require.True(t, ring.Current(sealed))
	for _, value := range [][]byte{nil, sealed[:5], flip(sealed, 0), flip(sealed, 1)} {
		require.False(t, ring.Current(value))
	}
}

// A key file that is there is read, also where no other file can be made: here
// the name of one would be too long.
func TestEnsureKeyringWhereNoOtherFileCanBeMade(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), strings.Repeat("k", 250))
	content := store.NewKey().Reveal() + "\n"
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	_, err := store.EnsureKeyring(path)
	require.NoError(t, err)
	require.ErrorContains(t, store.Rotate(path), "changing the key file")
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, content, string(after))
}
