package attack_test

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/credential"
	"github.com/ghscoped/ghscoped-service/internal/deliver"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// eveID is another local user, and that user's group. The attacked user is who
// runs the tests.
const eveID = 21002

const plantedToken = "ghu_TokenThatNobodyElseMayRead"

// asEve runs an attack on a thread of its own, on which the kernel takes every
// access to a file for eve's, until the test ends. Attack is called again and
// again; it returns what it has got hold of.
func asEve(t *testing.T, prepare func() error, attack func() string) (loot func() string) {
	t.Helper()
	require.Zero(t, os.Geteuid(), "this test needs a second user, and so has to be run as root")
	ready, stop, ended := make(chan error), make(chan struct{}), make(chan struct{})
	var got strings.Builder
	go func() {
		defer close(ended)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		_, _, _ = syscall.RawSyscall(syscall.SYS_SETGROUPS, 0, 0, 0)
		_, _, _ = syscall.RawSyscall(syscall.SYS_SETFSGID, eveID, 0, 0)
		_, _, _ = syscall.RawSyscall(syscall.SYS_SETFSUID, eveID, 0, 0)
		_, err := os.ReadFile("/etc/shadow")
		if err == nil {
			ready <- errors.New("eve can read what is root's")
			return
		}
		ready <- prepare()
		for {
			select {
			case <-stop:
				got.WriteString(attack())
				return
			default:
				got.WriteString(attack())
			}
		}
	}()
	require.NoError(t, <-ready)
	var once atomic.Bool
	end := func() string {
		if once.CompareAndSwap(false, true) {
			close(stop)
		}
		<-ended
		return got.String()
	}
	t.Cleanup(func() { end() })
	return end
}

// nextPIDs are the process ids that will be given out next, by the thousand.
func nextPIDs() (pids []int, err error) {
	load, err := os.ReadFile("/proc/loadavg") // its last field is the latest
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(string(load))
	last, err := strconv.Atoi(fields[len(fields)-1])
	for i := range 3000 {
		pids = append(pids, last+i)
	}
	return pids, err
}

// fifos plants pipes at prefix and each of the next process ids, which whoever
// comes along can write into, and returns how to read them.
func fifos(prefix string) (read func() string, err error) {
	pids, err := nextPIDs()
	if err != nil {
		return nil, err
	}
	var names []int
	for _, pid := range pids {
		name := fmt.Sprintf("%s%d", prefix, pid)
		if err := syscall.Mkfifo(name, 0o666); err != nil {
			return nil, err
		}
		if err := os.Chmod(name, 0o666); err != nil {
			return nil, err
		}
		fd, err := syscall.Open(name, syscall.O_RDWR|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
		if err != nil {
			return nil, err
		}
		names = append(names, fd)
	}
	buffer := make([]byte, 1<<16)
	return func() string {
		var got strings.Builder
		for _, fd := range names {
			if n, err := syscall.Read(fd, buffer); err == nil && n > 0 {
				got.Write(buffer[:n])
			}
		}
		return got.String()
	}, nil
}

// deliverHere delivers into the home as whoever runs the tests.
func deliverHere(t *testing.T, home, path string) error {
	t.Helper()
	t.Setenv("HOME", home)
	d, err := deliver.New(deliver.Options{CredentialPath: path, Timeout: time.Minute})
	require.NoError(t, err)
	return d.DeliverHere(t.Context(), credential.Credential{
		Host: &url.URL{Scheme: "https", Host: "github.com"}, Username: "x-access-token",
		Password: secret.New(plantedToken), ExpiresAt: time.Now().Add(time.Hour),
	})
}

// newSharedHome is a home that eve's group can write.
func newSharedHome(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(home), 0o755))
	require.NoError(t, os.Mkdir(home+"/.config", 0o755))
	for _, folder := range []string{home, home + "/.config"} {
		require.NoError(t, os.Chown(folder, -1, eveID))
		require.NoError(t, os.Chmod(folder, 0o775))
	}
	return home
}

func TestPlantedFIFOGetsNoToken(t *testing.T) {
	raiseFileLimit(t)
	drop := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(drop), 0o755))
	require.NoError(t, os.Chmod(drop, os.ModeSticky|0o777))
	path := drop + "/credential"
	var read func() string
	loot := asEve(t, func() (err error) {
		read, err = fifos(path + ".ghscoped-new.")
		return err
	}, func() string { return read() })

	err := deliverHere(t, t.TempDir(), path)
	require.NotContains(t, loot(), plantedToken)
	var refused *apierror.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "shared_folder", refused.Code)
	require.NoFileExists(t, path)
}

func TestPlantedLinkIsNotWrittenThrough(t *testing.T) {
	home := newSharedHome(t)
	require.NoError(t, os.WriteFile(home+"/.gitconfig", []byte("[user]\n\tname = Ada\n"), 0o644))
	precious := t.TempDir() + "/authorized_keys"
	require.NoError(t, os.WriteFile(precious, []byte("precious"), 0o600))
	loot := asEve(t, func() error {
		var err error
		for pid := range 1 << 15 {
			err = errors.Join(err, os.Symlink(precious, fmt.Sprintf("%s/.gitconfig.ghscoped-new.%d", home, pid)))
		}
		return err
	}, func() string { time.Sleep(time.Millisecond); return "" })

	require.NoError(t, deliverHere(t, home, ""))
	loot()
	content, err := os.ReadFile(precious)
	require.NoError(t, err)
	require.Equal(t, "precious", string(content))
}

// TestSwappedFolderGetsNoToken: eve, whose group can write in the home, puts a
// folder of hers in place of ours as soon as that is there.
func TestSwappedFolderGetsNoToken(t *testing.T) {
	raiseFileLimit(t)
	home := newSharedHome(t)
	ours, evil, was := home+"/.config/ghscoped", home+"/.config/evil", home+"/.config/was"
	var read func() string
	var swapped atomic.Bool
	loot := asEve(t, func() (err error) {
		if err = errors.Join(os.Mkdir(evil, 0o777), os.Chmod(evil, 0o777)); err != nil {
			return err
		}
		read, err = fifos(evil + "/credential.ghscoped-new.")
		return err
	}, func() string {
		if os.Rename(ours, was) == nil {
			swapped.Store(os.Rename(evil, ours) == nil)
		}
		if !swapped.Load() {
			return ""
		}
		got := read()
		for _, folder := range []string{ours, was} {
			names, _ := filepath.Glob(folder + "/*")
			below, _ := filepath.Glob(folder + "/*/*") // by host
			for _, name := range append(append(names, below...), folder+"/github.com/credential") {
				if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
					content, _ := os.ReadFile(name)
					got += string(content)
				}
			}
		}
		return got
	})

	err := deliverHere(t, home, "")
	require.NotContains(t, loot(), plantedToken)
	require.True(t, swapped.Load(), "there was an attack")
	var refused *apierror.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "foreign_owner", refused.Code, "and no pipe was written into, which would have held it up")
}

// raiseFileLimit lets the test hold thousands of pipes open.
func raiseFileLimit(t *testing.T) {
	t.Helper()
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	limit.Cur = limit.Max
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
}
