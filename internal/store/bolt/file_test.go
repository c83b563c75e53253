package bolt_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/store"
	"github.com/ghscoped/ghscoped-service/internal/store/bolt"
	"github.com/ghscoped/ghscoped-service/internal/store/storetest"
)

const kind store.Kind = "thing"

// childVariable makes this test program a second process: "TASK PATH".
const childVariable = "GHSCOPED_TEST_BOLT"

func TestMain(m *testing.M) {
	if task, path, ok := strings.Cut(os.Getenv(childVariable), " "); ok {
		fmt.Println(child(task, path))
		return
	}
	os.Exit(m.Run())
}

func child(task, path string) error {
	switch task {
	case "hold":
		held, err := bolt.Open(path, time.Now)
		if err != nil {
			return err
		}
		fmt.Println("holding")
		io.Copy(io.Discard, os.Stdin)
		return held.Close()
	case "claim":
		return claimAll(path)
	case "nobody":
		if err := syscall.Setuid(65534); err != nil {
			return err
		}
		_, err := bolt.Open(path, time.Now)
		return err
	case "full":
		// A file that may not grow fails like a disk that is full.
		signal.Ignore(syscall.SIGXFSZ)
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		limit := syscall.Rlimit{Cur: uint64(info.Size()), Max: uint64(info.Size())}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			return err
		}
		return fillUp(path)
	case "unwritable":
		signal.Ignore(syscall.SIGXFSZ)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1, Max: 1}); err != nil {
			return err
		}
		opened, err := bolt.Open(path, time.Now)
		if err != nil {
			return err
		}
		_, err = opened.Get(context(), kind, "0000")
		return errors.Join(err, opened.Close())
	case "underway":
		return goOnWhenFull(path)
	}
	return errors.New("no such task")
}

// fillUp writes until the file is full, and checks that what was accepted
// before is still readable and that space which is freed can be used.
func fillUp(path string) error {
	full, err := bolt.Open(path, time.Now)
	if err != nil {
		return err
	}
	ctx := context()
	for i := 0; ; i++ {
		if _, err = full.Put(ctx, store.Record{Kind: kind, Key: fmt.Sprint(i), Value: make([]byte, 8<<10)}); err != nil {
			break
		}
	}
	first, readErr := full.Get(ctx, kind, "0")
	return errors.Join(err, readErr, full.Delete(ctx, kind, "0", first.Version), full.Close())
}

func startChild(t *testing.T, task, path string) (stdin io.Closer, out *bufio.Reader) {
	t.Helper()
	_, stdin, out = startProcess(t, task, path)
	return stdin, out
}

func startProcess(t *testing.T, task, path string) (child *os.Process, stdin io.Closer, out *bufio.Reader) {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = append(os.Environ(), childVariable+"="+task+" "+path)
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	require.NoError(t, err)
	stdout, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() { in.Close(); _ = command.Wait() })
	return command.Process, in, bufio.NewReader(stdout)
}

func open(t *testing.T, path string) *bolt.Store {
	t.Helper()
	opened, err := bolt.Open(path, time.Now)
	require.NoError(t, err)
	t.Cleanup(func() { _ = opened.Close() })
	return opened
}

// filled makes a store file with a few hundred records in it.
func filled(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "store.db")
	b := open(t, path)
	fill(t, b, 300, 500)
	require.NoError(t, b.Close())
	return path
}

func TestOpenMakesAFileForItsOwnerOnly(t *testing.T) {
	t.Parallel()
	info, err := os.Stat(filled(t))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
}

func TestOpenRefusesASecondProcessWithin5SecondsByName(t *testing.T) {
	t.Parallel()
	path := filled(t)
	release, out := startChild(t, "hold", path)
	line, err := out.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "holding\n", line)

	start := time.Now()
	_, err = bolt.Open(path, time.Now)
	require.ErrorIs(t, err, bolt.ErrHeld)
	require.ErrorContains(t, err, path)
	require.Less(t, time.Since(start), 15*time.Second, "and the time that a busy machine takes")

	time.AfterFunc(100*time.Millisecond, func() { release.Close() })
	open(t, path) // waits for the other to end
}

func TestOpenTellsADamagedFileApart(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func([]byte) []byte{
		"something else":  func([]byte) []byte { return []byte("SQLite format 3\x00, or whatever it was") },
		"a long text":     func([]byte) []byte { return bytes.Repeat([]byte("a long text. "), 10_000) },
		"all zero":        func(content []byte) []byte { return make([]byte, len(content)) },
		"cut in half":     func(content []byte) []byte { return content[:len(content)/2] },
		"cut at a page":   func(content []byte) []byte { return content[:16<<10] },
		"no meta pages":   func(content []byte) []byte { clear(content[:8<<10]); return content },
		"zeroed contents": func(content []byte) []byte { clear(content[8<<10:]); return content },
		"the pages of one record zeroed": func(content []byte) []byte { // the live one, and old copies
			for page := range slices.Chunk(content, os.Getpagesize()) {
				if bytes.Contains(page, []byte("0150")) {
					clear(page)
				}
			}
			return content
		},
		"scrambled contents": func(content []byte) []byte {
			random := rand.New(rand.NewPCG(1, 2))
			for i := 8 << 10; i < len(content); i++ {
				content[i] = byte(random.Uint32())
			}
			return content
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filled(t)
			content, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, damage(content), 0o600))
			_, err = bolt.Open(path, time.Now)
			require.ErrorIs(t, err, bolt.ErrCorrupt)
			require.ErrorContains(t, err, path)
			_, err = bolt.Check(path)
			require.ErrorIs(t, err, bolt.ErrCorrupt)

			// The refusal has let go of the file.
			require.NoError(t, os.Remove(path))
			open(t, path)
		})
	}
}

func TestOpenTellsAMissingPermissionApart(t *testing.T) {
	t.Parallel()
	path := filled(t)
	if os.Getuid() != 0 {
		require.NoError(t, os.Chmod(path, 0))
		_, err := bolt.Open(path, time.Now)
		require.ErrorIs(t, err, bolt.ErrPermission)
		return
	}
	_, out := startChild(t, "nobody", path)
	said, err := io.ReadAll(out)
	require.NoError(t, err)
	require.Contains(t, string(said), path)
	require.Contains(t, string(said), bolt.ErrPermission.Error())
}

func TestBackendTellsAFullDiskApartAndLosesNothing(t *testing.T) {
	t.Parallel()
	path := filled(t)
	_, out := startChild(t, "full", path)
	said, err := io.ReadAll(out)
	require.NoError(t, err)
	require.Contains(t, string(said), store.ErrUnavailable.Error())
	require.Contains(t, string(said), bolt.ErrFull.Error())
	require.Contains(t, string(said), path)
	require.NotContains(t, string(said), store.ErrNotFound.Error())

	summary, err := bolt.Check(path)
	require.NoError(t, err, "the file is sound")
	require.GreaterOrEqual(t, summary.Records[kind], 300)
}

func TestOpenNamesADirectoryThatIsMissing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "missing", "store.db")
	_, err := bolt.Open(path, time.Now)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, path)
	_, err = bolt.Check(filepath.Join(t.TempDir(), "store.db"))
	require.ErrorIs(t, err, fs.ErrNotExist, "a check makes no file")
}

func TestExpiredRecordsArePurged(t *testing.T) {
	t.Parallel()
	clock := storetest.NewClock()
	path := filepath.Join(t.TempDir(), "store.db")
	b, err := bolt.Open(path, clock.Now)
	require.NoError(t, err)
	t.Cleanup(func() { _ = b.Close() })
	for i := range 20 {
		_, err := b.Put(t.Context(), store.Record{Kind: kind, Key: fmt.Sprint(i), Due: clock.Now(), Expires: clock.Now().Add(time.Minute)})
		require.NoError(t, err)
	}
	clock.Advance(time.Minute)
	_, err = b.Put(t.Context(), store.Record{Kind: kind, Key: "kept"})
	require.NoError(t, err)
	purged, err := b.Purge(t.Context())
	require.NoError(t, err)
	require.Equal(t, 16, purged, "a write took 4 along")
	require.NoError(t, b.Close())
	summary, err := bolt.Check(path)
	require.NoError(t, err)
	require.Equal(t, map[store.Kind]int{kind: 1}, summary.Records)
}
