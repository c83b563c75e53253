package deliver

import (
	"bytes"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

const token = "ghu_Tok3n0fTheUserThatNobodyElseMayRead"

// shells are those that a server's /bin/sh is likely to be. Busybox brings its
// own small programs, so that the script is tried on those too.
var shells = map[string]func(t *testing.T) (command, path string){
	"sh":   func(*testing.T) (string, string) { return "/bin/sh", os.Getenv("PATH") },
	"bash": func(t *testing.T) (string, string) { return asSh(t, "bash"), os.Getenv("PATH") },
	"busybox": func(t *testing.T) (string, string) {
		busybox := program(t, "busybox")
		applets := t.TempDir()
		require.NoError(t, exec.Command(busybox, "--install", "-s", applets).Run())
		require.NoError(t, os.Symlink(program(t, "git"), applets+"/git"))
		return applets + "/sh", applets
	},
}

func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	require.NoError(t, err, "these tests need %[1]s; on Debian: apt-get install %[1]s", name)
	return path
}

// asSh is the named shell under the name sh, by which it behaves as one.
func asSh(t *testing.T, name string) string {
	link := t.TempDir() + "/sh"
	require.NoError(t, os.Symlink(program(t, name), link))
	return link
}

// place is a home in which the script is run without a server.
type place struct {
	t     *testing.T
	shell string
	path  string
	home  string
	env   []string
}

func newPlace(t *testing.T) *place {
	return &place{t: t, shell: "/bin/sh", path: os.Getenv("PATH"), home: t.TempDir()}
}

func (p *place) environment() []string {
	return append([]string{"HOME=" + p.home, "PATH=" + p.path, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0"}, p.env...)
}

// run gives the script's verdict: done, or the code of the error.
func (p *place) run(job job) string {
	p.t.Helper()
	command := exec.Command(p.shell, "-c", job.script, "/bin/sh")
	command.Env = p.environment()
	command.Dir = "/"
	command.Stdin = strings.NewReader(job.input.Reveal())
	var trouble bytes.Buffer
	command.Stderr = &trouble
	output, _ := command.Output() // the verdict says more than the status
	require.Empty(p.t, trouble.String())
	word, code := "", ""
	for line := range strings.Lines(string(output)) {
		word, code = job.answer(line)
		require.NotEmpty(p.t, word, "the script printed %q", line)
	}
	if word == "error" {
		return code
	}
	return word
}

func (p *place) deliver(options Options) string {
	p.t.Helper()
	return p.deliverAs(options, credential())
}

func (p *place) deliverAs(options Options, c flow.Credential) string {
	p.t.Helper()
	d, err := New(options)
	require.NoError(p.t, err)
	job, err := d.delivery(c)
	require.NoError(p.t, err)
	return p.run(job)
}

func (p *place) remove(options Options) string {
	p.t.Helper()
	d, err := New(options)
	require.NoError(p.t, err)
	return p.run(d.removal())
}

// git runs git as the user would, and returns what it prints.
func (p *place) git(input string, arguments ...string) string {
	p.t.Helper()
	command := exec.Command("git", arguments...)
	command.Env = append(p.environment(), "GIT_ASKPASS=/bin/false")
	command.Dir = p.home
	command.Stdin = strings.NewReader(input)
	output, _ := command.Output() // without a credential git fails, and prints none
	return string(output)
}

// fill asks git for a credential, as a push does.
func (p *place) fill(protocol, host string) string {
	p.t.Helper()
	return p.git("protocol="+protocol+"\nhost="+host+"\n\n", "credential", "fill")
}

func (p *place) write(name, content string) string {
	p.t.Helper()
	path := filepath.Join(p.home, name)
	require.NoError(p.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(p.t, os.WriteFile(path, []byte(content), 0o640))
	return path
}

func (p *place) read(name string) string {
	p.t.Helper()
	content, err := os.ReadFile(filepath.Join(p.home, name))
	require.NoError(p.t, err)
	return string(content)
}

// state is everything in the home: content, mode and target of links.
func (p *place) state() map[string]string {
	p.t.Helper()
	state := map[string]string{}
	require.NoError(p.t, filepath.WalkDir(p.home, func(path string, entry os.DirEntry, err error) error {
		require.NoError(p.t, err)
		info, err := entry.Info()
		require.NoError(p.t, err)
		what := info.Mode().String() + " "
		switch {
		case info.Mode().IsRegular():
			content, err := os.ReadFile(path)
			require.NoError(p.t, err)
			what += string(content)
		case info.Mode()&os.ModeSymlink != 0:
			target, err := os.Readlink(path)
			require.NoError(p.t, err)
			what += target
		}
		state[strings.TrimPrefix(path, p.home)] = what
		return nil
	}))
	return state
}

func credential() flow.Credential {
	return credentialFor("https://github.com")
}

func credentialFor(host string) flow.Credential {
	address, err := url.Parse(host)
	if err != nil {
		panic(err)
	}
	return flow.Credential{
		Host: address, Username: "x-access-token", Password: secret.New(token), ExpiresAt: time.Now().Add(time.Hour),
		Account: flow.Account{ID: 583231, Login: "octo-cat", Name: `Octo "the \ Cat" O'Hara`},
	}
}

func TestADeliveryGivesGitTheCredentialAndARemovalLeavesNoTrace(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("[alias]\n\tco = checkout\n# a line of a long file, with some text in it\n", 1000)
	for name, before := range map[string]func(p *place){
		"no file":                   func(*place) {},
		"an empty file":             func(p *place) { p.write(".gitconfig", "") },
		"one section":               func(p *place) { p.write(".gitconfig", "[user]\n\tname = Ada\n") },
		"no newline at the end":     func(p *place) { p.write(".gitconfig", "[user]\n\tname = Ada") },
		"empty lines":               func(p *place) { p.write(".gitconfig", "\n\n[user]\n\tname = Ada\n\n\n") },
		"CRLF":                      func(p *place) { p.write(".gitconfig", "[user]\r\n\tname = Ada\r\n") },
		"CRLF, none at the end":     func(p *place) { p.write(".gitconfig", "[user]\r\n\tname = Ada") },
		"bytes that are no UTF-8":   func(p *place) { p.write(".gitconfig", "[user]\n\tname = \xff\xfe\xe4\n") },
		"backslashes and spaces":    func(p *place) { p.write(".gitconfig", "[a]\n  b = \"\\\\ \\n\" \\\n  c  \n\t\n") },
		"a long file":               func(p *place) { p.write(".gitconfig", long) },
		"another helper":            func(p *place) { p.write(".gitconfig", "[credential]\n\thelper = store\n") },
		"the user's own for GitHub": func(p *place) { p.write(".gitconfig", "[credential \"https://github.com\"]\n\thelper = store\n") },
		"only the XDG file":         func(p *place) { p.write(".config/git/config", "[user]\n\tname = Ada\n") },
		"both files": func(p *place) {
			p.write(".config/git/config", "[user]\n\tname = Ada\n")
			p.write(".gitconfig", "[user]\n\temail = ada@example.org")
		},
		"a linked file": func(p *place) {
			p.write("dotfiles/git/config", "[user]\n\tname = Ada")
			require.NoError(p.t, os.Symlink("dotfiles/git", p.home+"/link"))
			require.NoError(p.t, os.Symlink("link/config", p.home+"/.gitconfig"))
		},
		"a linked file, by its full name": func(p *place) {
			require.NoError(p.t, os.Symlink(p.write("dot files/config", "[user]\n\tname = Ada\n"), p.home+"/.gitconfig"))
		},
		"a link to a file yet to be": func(p *place) {
			p.write("dotfiles/other", "")
			require.NoError(p.t, os.Symlink("dotfiles/config", p.home+"/.gitconfig"))
		},
		"a file named by GIT_CONFIG_GLOBAL": func(p *place) {
			p.write(".gitconfig", "[user]\n\tname = Ada\n")
			p.env = append(p.env, "GIT_CONFIG_GLOBAL="+p.write("my config", "[user]\n\tname = Eve\n"))
		},
		"a folder of settings named by XDG_CONFIG_HOME": func(p *place) {
			p.write("settings/git/config", "[user]\n\tname = Eve\n")
			p.env = append(p.env, "XDG_CONFIG_HOME="+p.home+"/settings")
		},
	} {
		for shell, prepare := range shells {
			t.Run(name+"/"+shell, func(t *testing.T) {
				t.Parallel()
				p := newPlace(t)
				p.shell, p.path = prepare(t)
				require.NoError(t, os.MkdirAll(p.home+"/.config", 0o755))
				before(p)
				untouched := p.state()

				require.Equal(t, "done", p.deliver(Options{}))
				require.Contains(t, p.fill("https", "github.com"), "password="+token+"\n")
				requireKept(t, untouched, p.state())

				require.Equal(t, "done", p.remove(Options{}))
				require.Equal(t, untouched, p.state())
				require.Equal(t, "done", p.remove(Options{}), "a second removal")
				require.Equal(t, untouched, p.state())
			})
		}
	}
}

// requireKept checks that each file of before still begins as it did, with its
// mode, and that links are links.
func requireKept(t *testing.T, before, after map[string]string) {
	t.Helper()
	for path, what := range before {
		require.True(t, strings.HasPrefix(after[path], what), "%s was %q and is %q", path, what, after[path])
	}
}

func TestASecondDeliveryChangesNothing(t *testing.T) {
	t.Parallel()
	for shell, prepare := range shells {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.shell, p.path = prepare(t)
			p.write(".gitconfig", "[user]\n\tname = Ada")
			options := Options{GitIdentity: true, RewriteSSH: true, GHCommand: true}
			c := credential()
			require.Equal(t, "done", p.deliverAs(options, c))
			first, times := p.state(), p.times()
			require.Equal(t, "done", p.deliverAs(options, c))
			require.Equal(t, first, p.state())
			require.Equal(t, times, p.times())
		})
	}
}

func (p *place) times() map[string]time.Time {
	times := map[string]time.Time{}
	for path := range p.state() {
		info, err := os.Lstat(p.home + path)
		require.NoError(p.t, err)
		if info.Mode().IsRegular() {
			times[path] = info.ModTime()
		}
	}
	return times
}

func TestTheCredentialIsPrivate(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	require.NoError(t, os.MkdirAll(p.home+"/.config/ghscoped", 0o777))
	p.write(".config/ghscoped/credential", "left by somebody, readable by all")
	require.Equal(t, "done", p.deliver(Options{GHCommand: true}))
	for path, mode := range map[string]os.FileMode{
		".config/ghscoped": 0o700 | os.ModeDir, ".config/ghscoped/credential": 0o600, ".config/gh/hosts.yml": 0o600,
	} {
		info, err := os.Stat(filepath.Join(p.home, path))
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode(), path)
	}
}

func TestAnyHomeWillDo(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"with spaces & o'malley", `say "hi" \n`, "$HOME `id` $(id);|&", "tab\there ü$&@#", "-n", "*[section]=~",
	} {
		for shell, prepare := range shells {
			t.Run(name+"/"+shell, func(t *testing.T) {
				t.Parallel()
				p := newPlace(t)
				p.shell, p.path = prepare(t)
				p.home = filepath.Join(p.home, name)
				require.NoError(t, os.MkdirAll(p.home+"/.config", 0o755))
				before := p.state()
				require.Equal(t, "done", p.deliver(Options{}))
				require.Contains(t, p.fill("https", "github.com"), "password="+token+"\n")
				first := p.state()
				require.Equal(t, "done", p.deliver(Options{}))
				require.Equal(t, len(first), len(p.state()))
				require.Equal(t, first["/.gitconfig"], p.state()["/.gitconfig"])
				require.Equal(t, "done", p.remove(Options{}))
				require.Equal(t, before, p.state())
			})
		}
	}
}

func TestTheCredentialMayLieElsewhere(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	elsewhere := t.TempDir() + "/a folder/git's credential"
	for _, path := range []string{"~/secrets/github", elsewhere} {
		options := Options{CredentialPath: path}
		require.Equal(t, "done", p.deliver(options))
		require.NoFileExists(t, p.home+"/.config/ghscoped/credential")
		require.FileExists(t, strings.Replace(path, "~", p.home, 1))
		require.Contains(t, p.fill("https", "github.com"), token)
		require.Equal(t, "done", p.remove(options))
		require.NoFileExists(t, strings.Replace(path, "~", p.home, 1))
		require.Empty(t, p.fill("https", "github.com"))
	}
	for _, path := range []string{"relative/path", "/tmp/", "~/new\nline"} {
		_, err := New(Options{CredentialPath: path})
		require.Error(t, err)
	}
}

// runHelper runs the helper alone, as git would but with the named shell.
func runHelper(t *testing.T, p *place, shell, path, operation, request string) string {
	t.Helper()
	folder := p.home + "/.config/ghscoped"
	command := exec.Command(shell, folder+"/git-credential-ghscoped", folder+"/credential", operation)
	command.Env = []string{"PATH=" + path}
	command.Stdin = strings.NewReader(request)
	output, err := command.Output()
	require.NoError(t, err)
	return string(output)
}
