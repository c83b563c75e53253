package deliver

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/credential"
	"github.com/ghscoped/ghscoped-service/internal/github"
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

// shellsTried are those of the named shells, or of all, that a test tries: with
// -short the first only, and make test-sweeps tries each.
func shellsTried(names ...string) map[string]func(t *testing.T) (command, path string) {
	if names == nil {
		names = []string{"sh", "bash", "busybox"}
	}
	if testing.Short() {
		names = names[:1]
	}
	tried := map[string]func(t *testing.T) (command, path string){}
	for _, name := range names {
		tried[name] = shells[name]
	}
	return tried
}

// inEachShell runs a case of that name, "" where it is the only one, at a new place
// for each shell.
func inEachShell(t *testing.T, name string, run func(t *testing.T, p *place), names ...string) {
	t.Helper()
	for shell, prepare := range shellsTried(names...) {
		t.Run(strings.TrimPrefix(name+"/"+shell, "/"), func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.shell, p.path = prepare(t)
			run(t, p)
		})
	}
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
	user  uint32 // 0: ourselves
	limit int    // of each file, in bytes; 0: none
	// inside is run before the script, in a mount namespace of its own
	inside string
	// image is the git configuration of the image, where it has one
	image string
}

func newPlace(t *testing.T) *place {
	return &place{t: t, shell: "/bin/sh", path: os.Getenv("PATH"), home: t.TempDir()}
}

func (p *place) environment() []string {
	return append([]string{"HOME=" + p.home, "PATH=" + p.path, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0"}, p.env...)
}

// run gives the script's verdict: done, or the code of the error or of a remark.
func (p *place) run(job job) string {
	p.t.Helper()
	command := p.command(p.shell, "-c", job.script, "/bin/sh")
	if p.limit > 0 {
		command = exec.Command("prlimit", fmt.Sprintf("--fsize=%d", p.limit), p.shell, "-c", job.script, "/bin/sh")
	}
	command.Env = p.environment()
	command.Dir = "/"
	command.Stdin = strings.NewReader(job.input.Reveal())
	if p.user != 0 {
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: p.user, Gid: p.user}}
	}
	var trouble bytes.Buffer
	command.Stderr = &trouble
	output, _ := command.Output() // the verdict says more than the status
	if p.limit == 0 {             // of which some shells tell
		require.Empty(p.t, trouble.String())
	}
	word, code := "", ""
	for line := range strings.Lines(string(output)) {
		word, code = job.answer(line)
		require.NotEmpty(p.t, word, "the script printed %q", line)
	}
	if code != "" {
		return code
	}
	return word
}

func (p *place) deliver(options Options) string {
	p.t.Helper()
	return p.deliverAs(options, gitCredential())
}

func (p *place) deliverAs(options Options, c credential.Credential) string {
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

func (p *place) expire(options Options) string {
	p.t.Helper()
	d, err := New(options)
	require.NoError(p.t, err)
	return p.run(d.expiry())
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

func gitCredential() credential.Credential {
	return credentialFor("https://github.com")
}

func credentialFor(host string) credential.Credential {
	address, err := url.Parse(host)
	if err != nil {
		panic(err)
	}
	return credential.Credential{
		Host: address, Username: "x-access-token", Password: secret.New(token), ExpiresAt: time.Now().Add(time.Hour),
		Account: github.Account{ID: 583231, Login: "octo-cat", Name: `Octo "the \ Cat" O'Hara`},
	}
}

// runHelper runs the helper alone, as git would but with the named shell.
func runHelper(t *testing.T, p *place, shell, path, operation, request string) string {
	t.Helper()
	helpers, err := filepath.Glob(p.home + "/.config/ghscoped/*/git-credential-ghscoped")
	require.NoError(t, err)
	require.Len(t, helpers, 1)
	folder := filepath.Dir(helpers[0])
	command := exec.Command(shell, folder+"/git-credential-ghscoped", folder+"/credential", operation)
	command.Env = []string{"PATH=" + path}
	command.Stdin = strings.NewReader(request)
	output, err := command.Output()
	require.NoError(t, err)
	return string(output)
}
