package gitconfig_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/gitconfig"
	"github.com/ghscoped/ghscoped-service/internal/gitconfig/gitconfigtest"
)

func TestMain(m *testing.M) { gitconfigtest.Main(m) }

// lockOf is the lock that a process of this machine would have written.
func lockOf(t *testing.T, process int) string {
	t.Helper()
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	require.NoError(t, err)
	container, err := os.Readlink("/proc/self/ns/pid")
	require.NoError(t, err)
	return fmt.Sprintf("# The lock of ghscoped .ghscoped-new.X.%d.%s-%s\n# …\n", process, strings.Trim(container, "pid:[]"), strings.TrimSpace(string(boot)))
}

func ended(t *testing.T) int {
	t.Helper()
	command := exec.Command("true")
	require.NoError(t, command.Run())
	return command.Process.Pid
}

func configFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), ".gitconfig")
	require.NoError(t, os.WriteFile(path, []byte("[user]\n\tname = Ada\n"), 0o644))
	return path
}

func TestPutTakesOverFromOneThatWasKilled(t *testing.T) {
	path := configFile(t)
	process := gitconfigtest.Kill(t, path)
	lock, err := os.ReadFile(path + ".lock")
	require.NoError(t, err)
	require.Contains(t, string(lock), fmt.Sprintf(".%d.", process))
	require.Equal(t, "Ada\n", git(t, path, "user.name"), "git reads on")

	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	changed, err := gitconfig.Put(ctx, path, lines)
	require.NoError(t, err)
	require.True(t, changed)
	require.GreaterOrEqual(t, time.Since(began), time.Second, "a delivery would have removed it sooner")
	require.NoFileExists(t, path+".lock")
	require.Equal(t, "Ada\n", git(t, path, "user.name"))
	require.Equal(t, "\n/opt/ghscoped git-credential-ghscoped\n", git(t, path, "--get-all", "credential.https://github.com.helper"))
}

func TestPutAtOnceAfterOneThatWasKilled(t *testing.T) {
	path := configFile(t)
	gitconfigtest.Kill(t, path)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			_, err := gitconfig.Put(t.Context(), path, append(lines, fmt.Sprintf("\t# %d", i)))
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.NoFileExists(t, path+".lock")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(text), "# >>> ghscoped setup >>>"), string(text))
}

func TestPutLeavesALockThatMayBeHeld(t *testing.T) {
	t.Parallel()
	dead, mine := lockOf(t, ended(t)), lockOf(t, os.Getpid())
	for name, plant := range map[string]func(lock string) error{
		"of a git":                         text("[user]\n\tname = Ada\n"),
		"of a git that has not written":    text(""),
		"of a process that runs":           text(mine),
		"of a process of somebody else":    text(lockOf(t, 1)),
		"of another machine or container":  text("# The lock of ghscoped .ghscoped-new.X.1.another\n"),
		"of a machine that has no name":    text(fmt.Sprintf("# The lock of ghscoped .ghscoped-new.X.%d.unknown\n", ended(t))),
		"of no process":                    text(lockOf(t, 0)),
		"of a group of processes":          text(lockOf(t, -ended(t))),
		"of a number that is none":         text(strings.Replace(mine, ".X.", ".X.x", 1)),
		"with our line, but not the first": text("[user]\n" + dead),
		"a folder":                         func(lock string) error { return os.Mkdir(lock, 0o755) },
		"a pipe":                           func(lock string) error { return syscall.Mkfifo(lock, 0o600) },
		"a link to a lock of ours": func(lock string) error {
			if err := os.WriteFile(lock+"ed", []byte(dead), 0o600); err != nil {
				return err
			}
			return os.Symlink(lock+"ed", lock)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := configFile(t)
			require.NoError(t, plant(path+".lock"))
			before, err := os.Lstat(path + ".lock")
			require.NoError(t, err)
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				_, err = gitconfig.Put(ctx, path, lines)
			})
			var named *gitconfig.Error
			require.ErrorAs(t, err, &named)
			require.Equal(t, gitconfig.Busy, named.Code)
			after, err := os.Lstat(path + ".lock")
			require.NoError(t, err)
			require.True(t, os.SameFile(before, after))
		})
	}
}

func text(content string) func(string) error {
	return func(lock string) error { return os.WriteFile(lock, []byte(content), 0o600) }
}
