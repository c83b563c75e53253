package deliver

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// What needs mounts (a full disk, a read-only home) is in test/deliver.

func TestScriptNamesAnErrorAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		prepare func(p *place)
		code    string
	}{
		{"a symlink at the credential", func(p *place) {
			require.NoError(p.t, os.MkdirAll(p.home+"/.config/ghscoped/github.com", 0o700))
			require.NoError(p.t, os.Symlink(p.write("victim", "precious"), p.home+"/.config/ghscoped/github.com/credential"))
		}, "symlink_refused"},
		{"a dangling symlink at the credential", func(p *place) {
			require.NoError(p.t, os.MkdirAll(p.home+"/.config/ghscoped/github.com", 0o700))
			require.NoError(p.t, os.Symlink("/nowhere", p.home+"/.config/ghscoped/github.com/credential"))
		}, "symlink_refused"},
		{"a symlink at the folder", func(p *place) {
			p.write("elsewhere/file", "")
			require.NoError(p.t, os.MkdirAll(p.home+"/.config", 0o700))
			require.NoError(p.t, os.Symlink(p.home+"/elsewhere", p.home+"/.config/ghscoped"))
		}, "symlink_refused"},
		{"a folder at the credential", func(p *place) {
			p.write(".config/ghscoped/github.com/credential/file", "")
			require.NoError(p.t, exec.Command("chmod", "700", p.home+"/.config/ghscoped", p.home+"/.config/ghscoped/github.com").Run())
		}, "not_a_file"},
		{"a pipe at the credential", func(p *place) {
			require.NoError(p.t, os.MkdirAll(p.home+"/.config/ghscoped/github.com", 0o700))
			mkfifo(p.t, p.home+"/.config/ghscoped/github.com/credential")
		}, "not_a_file"},
		{"a file at the folder", func(p *place) { p.write(".config/ghscoped", "") }, "not_a_file"},
		{"a file above the folder", func(p *place) { p.write(".config", "") }, "not_a_file"},
		{"a link that leads nowhere above the folder", func(p *place) { require.NoError(p.t, os.Symlink("nowhere", p.home+"/.config")) }, "not_a_file"},
		{"a folder at the git configuration", func(p *place) { p.write(".gitconfig/file", "") }, "git_config_not_a_file"},
		{"a pipe at the git configuration", func(p *place) { mkfifo(p.t, p.home+"/.gitconfig") }, "git_config_not_a_file"},
		{"a pipe at the other git configuration", func(p *place) {
			require.NoError(p.t, os.MkdirAll(p.home+"/.config/git", 0o755))
			p.write(".gitconfig", "")
			mkfifo(p.t, p.home+"/.config/git/config")
		}, "git_config_not_a_file"},
		{"links in a circle at the git configuration", func(p *place) {
			require.NoError(p.t, os.Symlink(".gitconfig", p.home+"/.gitconfig"))
		}, "git_config_not_writable"},
		{"NUL in the git configuration", func(p *place) { p.write(".gitconfig", "[user]\n\tname = A\x00da\n") }, "git_config_damaged"},
		{"git configuration named by nothing", func(p *place) { p.env = append(p.env, "GIT_CONFIG_GLOBAL=") }, "git_config_off"},
		{"git configuration in a folder that is not there", func(p *place) {
			p.env = append(p.env, "GIT_CONFIG_GLOBAL="+p.home+"/no/config")
		}, "git_config_not_writable"},
		{"no home", func(p *place) { p.env = append(p.env, "HOME="+p.home+"/none") }, "home_missing"},
		{"no HOME", func(p *place) { p.env = append(p.env, "HOME=") }, "home_missing"},
	} {
		for shell, prepare := range shellsTried() {
			t.Run(c.name+"/"+shell, func(t *testing.T) {
				t.Parallel()
				p := newPlace(t)
				p.shell, p.path = prepare(t)
				c.prepare(p)
				before := p.state()
				require.Equal(t, c.code, p.deliver(Options{GHCommand: true}))
				require.Equal(t, before, p.state())
				require.Contains(t, causes, c.code, "it has a message for people")
			})
		}
	}
}

func TestScriptFollowsNoSymlinkInARemoval(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	require.NoError(t, os.MkdirAll(p.home+"/.config/ghscoped/github.com", 0o700))
	require.NoError(t, os.Symlink(p.write("victim", "precious"), p.home+"/.config/ghscoped/github.com/credential"))
	require.Equal(t, "done", p.remove(Options{}))
	require.Equal(t, "precious", p.read("victim"))
}

func TestScriptWritesNothingOfInputThatIsCut(t *testing.T) {
	t.Parallel()
	d, err := New(Options{})
	require.NoError(t, err)
	job, err := d.delivery(gitCredential())
	require.NoError(t, err)
	p := newPlace(t)
	job.input = cut(job.input)
	before := p.state()
	require.Equal(t, "input_cut", p.run(job))
	require.Equal(t, before, p.state())
}

// A variable of the environment stays one when a shell assigns to it: then
// every program that is started would be given the token.
func TestScriptShowsTheTokenInNoEnvironmentArgumentOrTrace(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"sh", "bash"} { // busybox starts its own programs, whatever the path
		prepare := shells[shell]
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.shell, p.path = prepare(t)
			log := p.home + "/log"
			p.path = spies(t, p.path, log)
			for _, name := range []string{"username", "password", "expiry", "line", "text", "known", "helper", "kept"} {
				p.env = append(p.env, name+"=inherited")
			}
			if shell == "bash" {
				p.env = append(p.env, "SHELLOPTS=allexport")
			}
			require.Equal(t, "done", p.deliver(Options{GitIdentity: true, GHCommand: true}))
			require.Equal(t, "done", p.deliverAs(Options{GHCommand: true}, withToken("ghu_another")))
			require.Equal(t, "done", p.remove(Options{}))
			seen := p.read("log")
			require.True(t, strings.Contains(seen, "mkdir"), "the spies saw something")
			require.False(t, strings.Contains(seen, token) || strings.Contains(seen, "ghu_another"))
		})
	}
}

// Of a shell without a printf of its own /proc would show the token, as an
// argument of the program. Bash can be made one; mksh is one, and is tried too
// where it is installed.
func TestScriptRefusesAShellWhosePrintfIsAProgram(t *testing.T) {
	t.Parallel()
	const without = "enable -n printf\n"
	refused := map[string]struct{ shell, prelude string }{"bash without its printf": {asSh(t, "bash"), without}}
	if mksh, err := exec.LookPath("mksh"); err == nil {
		refused["mksh"] = struct{ shell, prelude string }{mksh, ""}
	} else {
		t.Log("mksh is not installed: only bash without its printf is tried")
	}
	for name, c := range refused {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			before := p.state()
			d, err := New(Options{})
			require.NoError(t, err)
			job, err := d.delivery(gitCredential())
			require.NoError(t, err)
			job.script = c.prelude + job.script
			p.shell = c.shell
			require.Equal(t, "no_shell", p.run(job))
			require.Equal(t, before, p.state())
			require.Contains(t, causes, "no_shell")

			p.shell = "/bin/sh"
			require.Equal(t, "done", p.deliver(Options{}))
			helper := p.write("helper", c.prelude+helperText)
			command := exec.Command(c.shell, helper, p.home+"/.config/ghscoped/github.com/credential", "get")
			command.Stdin = strings.NewReader("protocol=https\nhost=github.com\n\n")
			said, err := command.CombinedOutput()
			require.NoError(t, err)
			require.Empty(t, string(said))
		})
	}
}

func TestScriptHoldsNoSecret(t *testing.T) {
	t.Parallel()
	d, err := New(Options{GitIdentity: true, RewriteSSH: true, GHCommand: true})
	require.NoError(t, err)
	job, err := d.delivery(gitCredential())
	require.NoError(t, err)
	require.NotContains(t, job.script, token)
	require.Contains(t, job.input.Reveal(), token)
	require.NotContains(t, job.script, job.markA+job.markB, "an echo of the script is no answer")
	for line := range strings.Lines(job.script) {
		word, _ := job.answer(line)
		require.Empty(t, word, line)
	}
}

func TestScriptInAHomeOfSomebodyElse(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.home = "/" // which is root's
	if os.Geteuid() == 0 {
		p.user = 65534
	}
	require.Equal(t, "home_not_owned", p.deliver(Options{}))
	require.NoDirExists(t, "/.config/ghscoped")
	require.NoFileExists(t, "/.gitconfig")
}

func TestScriptRefusesAGitConfigurationThatItCannotRead(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	require.Zero(t, os.Geteuid(), "only root can be somebody else here")
	p.user = 65534
	config := p.write(".gitconfig", "[user]\n\tname = Ada\n")
	require.NoError(t, os.Chmod(config, 0))
	for _, path := range []string{p.home, config} {
		require.NoError(t, os.Chown(path, 65534, 65534))
	}
	require.NoError(t, os.Chmod(filepath.Dir(p.home), 0o755))
	require.Equal(t, "git_config_not_writable", p.deliver(Options{}))
	left, err := os.ReadFile(config)
	require.NoError(t, err)
	require.Equal(t, "[user]\n\tname = Ada\n", string(left))
	require.NoFileExists(t, p.home+"/.config/ghscoped/github.com/credential")
}

// What cannot be read is not taken for empty: that would lose it.
func TestScriptReadsTheGitConfigurationOrLeavesIt(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ instead, want string }{
		"reading fails":         {"exit 1", "git_config_not_writable"},
		"it goes at the moment": {`rm -f "$HOME/.gitconfig"; exit 1`, "done"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			folder := t.TempDir()
			stub := "#!/bin/sh\nif [ \"$1\" = '\\000' ]; then " + tc.instead + "; fi\nexec " + program(t, "tr") + " \"$@\"\n"
			require.NoError(t, os.WriteFile(folder+"/tr", []byte(stub), 0o755))
			p.path = folder + ":" + p.path
			p.write(".gitconfig", "[user]\n\tname = Ada\n")
			require.Equal(t, tc.want, p.deliver(Options{}))
			left, err := os.ReadFile(p.home + "/.gitconfig")
			require.NoError(t, err)
			require.Equal(t, tc.want == "git_config_not_writable", string(left) == "[user]\n\tname = Ada\n")
		})
	}
}

func TestScriptDoesNotMixFilesOfSeveralDeliveriesAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.write(".gitconfig", "[user]\n\tname = Ada")
	d, err := New(Options{GHCommand: true})
	require.NoError(t, err)
	var all sync.WaitGroup
	verdicts := make([]string, 8)
	for i := range verdicts {
		job, err := d.delivery(withToken("ghu_" + strings.Repeat(string(rune('a'+i)), 100*i+1)))
		require.NoError(t, err)
		all.Go(func() { verdicts[i] = p.run(job) })
	}
	all.Wait()
	for _, verdict := range verdicts {
		// One may clear away what another is about to rename, and is told so.
		require.True(t, verdict == "done" || causes[verdict].Retryable, "%q", verdict)
	}
	require.Equal(t, "done", p.deliver(Options{GHCommand: true}))
	require.Contains(t, p.fill("https", "github.com"), "password="+token+"\n")
	require.Equal(t, "done", p.remove(Options{}))
	require.Equal(t, "[user]\n\tname = Ada", p.read(".gitconfig"))
}
