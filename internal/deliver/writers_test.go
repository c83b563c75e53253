package deliver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/gitconfig"
	"github.com/ghscoped/ghscoped-service/internal/gitconfig/gitconfigtest"
)

// TestMain lets this program be the Go writer of git's configuration, for
// TestWritersOfTheGitConfiguration, and one that is killed.
func TestMain(m *testing.M) {
	if os.Getenv("BE_THE_GO_WRITER") != "" {
		fmt.Print(goWriter())
		return
	}
	gitconfigtest.Main(m)
}

// goWriter does what "ghscoped setup" does, and gives its verdict as a delivery does.
func goWriter() string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	file, err := gitconfig.UserFile(os.LookupEnv)
	if err == nil {
		_, err = gitconfig.PutIncluded(ctx, file, []string{`[credential "https://github.com"]`, "\thelper = ghscoped"})
	}
	var named *gitconfig.Error
	switch {
	case errors.As(err, &named):
		return named.Code
	case err != nil:
		return err.Error()
	}
	return "done"
}

// device is a /dev of the test's own, where a home may be in a folder of the real one:
// a writer that has lost its guard replaces a device by a file.
const device = "exec 9</dev/shm && mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && mkdir /dev/shm && mount --no-canonicalize --bind /proc/self/fd/9 /dev/shm"

// TestWritersOfTheGitConfiguration: a delivery's script and "ghscoped setup" choose
// the same file, refuse the same, and what they write is what git reads.
func TestWritersOfTheGitConfiguration(t *testing.T) {
	t.Parallel()
	const ada = "[user]\n\tname = Ada\n"
	link := func(p *place, from, to string) {
		require.NoError(p.t, os.MkdirAll(filepath.Dir(p.home+"/"+from), 0o755))
		require.NoError(p.t, os.Symlink(to, p.home+"/"+from))
	}
	for _, c := range []struct {
		name    string
		prepare func(p *place)
		inside  string // run in a mount namespace of its own, before
		env     string
		code    string
		file    string // where git writes, and so do we
	}{
		{name: "no file", code: "done", file: ".gitconfig"},
		{name: "XDG's", prepare: func(p *place) { p.write(".config/git/config", ada) }, code: "done", file: ".config/git/config"},
		{name: "both", prepare: func(p *place) { p.write(".config/git/config", ada); p.write(".gitconfig", "") }, code: "done", file: ".gitconfig"},
		{name: "named", env: "GIT_CONFIG_GLOBAL=HOME/mine", code: "done", file: "mine"},
		{name: "named by nothing", env: "GIT_CONFIG_GLOBAL=", code: "git_config_off"},
		{name: "a device", env: "GIT_CONFIG_GLOBAL=/dev/null", inside: device, code: "git_config_not_a_file"},
		{name: "a link to a device", prepare: func(p *place) { link(p, ".gitconfig", "/dev/null") }, inside: device, code: "git_config_not_a_file"},
		{name: "a pipe", prepare: func(p *place) { mkfifo(p.t, p.home+"/.gitconfig") }, code: "git_config_not_a_file"},
		{name: "a folder", prepare: func(p *place) { p.write(".gitconfig/file", "") }, code: "git_config_not_a_file"},
		{name: "a socket", prepare: func(p *place) {
			fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
			require.NoError(p.t, err)
			require.NoError(p.t, syscall.Bind(fd, &syscall.SockaddrUnix{Name: fmt.Sprintf("/proc/self/fd/%d/.gitconfig", p.folder())}))
			require.NoError(p.t, syscall.Close(fd))
		}, code: "git_config_not_a_file"},
		{name: "links in a circle", prepare: func(p *place) { link(p, ".gitconfig", ".gitconfig") }, code: "git_config_not_writable"},
		{name: "five links", prepare: func(p *place) {
			link(p, ".gitconfig", "2")
			link(p, "2", "3")
			link(p, "3", "a/4")
			link(p, "a/4", "../5")
			link(p, "5", "a/real")
			p.write("a/real", ada)
		}, code: "done", file: "a/real"},
		{name: "in a folder that is not there", env: "GIT_CONFIG_GLOBAL=HOME/no/config", code: "git_config_not_writable"},
		{name: "git's lock", prepare: func(p *place) { p.write(".gitconfig.lock", "") }, code: "git_config_busy"},
		{name: "git's lock at the end of a link", prepare: func(p *place) { link(p, ".gitconfig", "a/real"); p.write("a/real.lock", "") }, code: "git_config_busy"},
		{name: "a lock beside a link", prepare: func(p *place) { link(p, ".gitconfig", "real"); p.write(".gitconfig.lock", "") }, code: "done", file: "real"},
		{name: "read-only for its owner", prepare: func(p *place) {
			require.NoError(p.t, os.Chmod(p.write(".gitconfig", ada), 0o444))
		}, code: "done", file: ".gitconfig"},

		// What git itself cannot write, while it reads another file.
		{name: "mounted", prepare: func(p *place) { p.write(".gitconfig", ada); p.write("mapped", ada) },
			inside: `mount --bind "$HOME/mapped" "$HOME/.gitconfig"`, code: "done", file: ".config/git/config"},
		{name: "mounted, and named", prepare: func(p *place) { p.write(".gitconfig", ada); p.write("mapped", ada) }, env: "GIT_CONFIG_GLOBAL=HOME/.gitconfig",
			inside: `mount --bind "$HOME/mapped" "$HOME/.gitconfig"`, code: "git_config_not_writable"},
		{name: "linked into a store", prepare: func(p *place) { p.write("store/gitconfig", ada); link(p, ".gitconfig", "store/gitconfig") },
			inside: store, code: "done", file: ".config/git/config"},
		{name: "XDG's linked into a store", prepare: func(p *place) { p.write("store/config", ada); link(p, ".config/git/config", "../../store/config") },
			inside: store, code: "done", file: ".gitconfig"},
		{name: "both linked into a store", prepare: func(p *place) {
			p.write("store/config", ada)
			link(p, ".config/git/config", "../../store/config")
			link(p, ".gitconfig", "store/config")
		}, inside: store, code: "git_config_not_writable"},
	} {
		for _, writer := range []string{"the script", "setup"} {
			t.Run(c.name+"/"+writer, func(t *testing.T) {
				t.Parallel()
				p := newPlace(t)
				p.instantSleep("")
				require.NoError(t, os.Mkdir(p.home+"/.config", 0o755))
				if c.env != "" {
					p.env = append(p.env, strings.Replace(c.env, "HOME", p.home, 1))
				}
				if c.prepare != nil {
					c.prepare(p)
				}
				p.inside = c.inside
				before := p.state()
				verdict := func() string { return p.deliver(Options{}) }
				if writer == "setup" {
					verdict = p.setUp
				}
				require.Equal(t, c.code, verdict())
				if c.code != "done" {
					require.Equal(t, before, p.state())
					require.Contains(t, causes, c.code)
					return
				}
				require.Contains(t, p.read(c.file), "# <<< ghscoped")
				require.Contains(t, p.git("", "config", "--get-urlmatch", "credential.helper", "https://github.com"), "ghscoped", "git reads it")
				if strings.HasPrefix(before["/.gitconfig"], "-r--r--r--") {
					info, err := os.Stat(p.home + "/.gitconfig")
					require.NoError(t, err)
					require.Equal(t, os.FileMode(0o444), info.Mode())
				}
			})
		}
	}
}

// folder is a descriptor of the home: the address of a socket takes 108 bytes.
func (p *place) folder() int {
	home, err := os.Open(p.home)
	require.NoError(p.t, err)
	p.t.Cleanup(func() { _ = home.Close() })
	return int(home.Fd())
}

// setUp is the verdict of the Go writer.
func (p *place) setUp() string {
	p.t.Helper()
	own, err := os.Executable()
	require.NoError(p.t, err)
	command := p.command(own)
	command.Env = append(p.environment(), "BE_THE_GO_WRITER=yes")
	said, err := command.CombinedOutput()
	require.NoError(p.t, err, string(said))
	return string(said)
}

// command is one that runs as the user, where inside says in mounts of its own. A
// device that has become a file is an error there.
func (p *place) command(words ...string) *exec.Cmd {
	if p.inside != "" {
		then := p.inside + ` && "$@"; status=$?; [ -c /dev/null ] || echo "/dev/null is no device any more" >&2; exit $status`
		words = append([]string{"unshare", "-m", "/bin/sh", "-c", then, "sh"}, words...)
	}
	return exec.Command(words[0], words[1:]...)
}

// TestDeliverReadOnlyFileOfAnotherUserThanRoot: root writes whatever the mode says.
func TestDeliverReadOnlyFileOfAnotherUserThanRoot(t *testing.T) {
	t.Parallel()
	for shell, prepare := range shellsTried() {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			p := newHomeOf(t)
			p.shell, p.path = prepare(t)
			file := p.write(".gitconfig", "[user]\n\tname = Ada\n")
			require.NoError(t, os.Chown(file, ada, ada))
			require.NoError(t, os.Chmod(file, 0o444))
			before := p.state()
			for range 2 {
				require.Equal(t, "done", p.deliverAs(Options{}, withToken("ghu_"+shell)))
				require.Contains(t, p.fill("https", "github.com"), "ghu_"+shell)
				info, err := os.Stat(file)
				require.NoError(t, err)
				require.Equal(t, os.FileMode(0o444), info.Mode())
			}
			require.Equal(t, "done", p.remove(Options{}))
			require.Equal(t, before["/.gitconfig"], p.state()["/.gitconfig"])
		})
	}
}

// TestDeliverLinkIntoAStoreOfRoots: as home-manager on a machine of many users.
func TestDeliverLinkIntoAStoreOfRoots(t *testing.T) {
	t.Parallel()
	for shell, prepare := range shellsTried() {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			p := newHomeOf(t)
			p.shell, p.path = prepare(t)
			store := t.TempDir()
			require.NoError(t, os.WriteFile(store+"/gitconfig", []byte("[user]\n\tname = Ada\n"), 0o444))
			require.NoError(t, os.Symlink(store+"/gitconfig", p.home+"/.gitconfig"))
			p.own(ada, 0o755, ".config")
			before := p.state()
			require.Equal(t, "done", p.deliver(Options{}))
			require.Contains(t, p.fill("https", "github.com"), token)
			require.Equal(t, "Ada\n", p.git("", "config", "user.name"))
			require.Equal(t, "done", p.remove(Options{}))
			require.Equal(t, before, p.state())
		})
	}
}
