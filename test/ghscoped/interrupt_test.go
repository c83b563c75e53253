package ghscoped_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// point is a moment at which somebody types Ctrl-C: when a request (or its
// answer) is held up on its way, or when a text is shown.
type point struct {
	name  string
	first func(s *scene) // what has happened before
	line  string         // what is typed
	held  string         // a request, as rig.Gate has it
	skip  int            // requests of its kind that go through first
	after bool           // its answer is held, not the request
	goes  bool           // it goes on when Ctrl-C was typed
	late  bool           // it comes after Ctrl-C only
	shown string
	// approve the code as soon as there is one, at the service or alone.
	approve string
	says    string         // at last
	then    func(s *scene) // what is true afterwards
}

// scene is a person at a terminal of their own.
type scene struct {
	*testing.T
	ctx      context.Context
	p        *person
	home     string
	env      []string
	gate     *rig.Gate
	terminal *rig.Terminal
}

// atTheService: between the program and the service, which are a real one each.
var atTheService = []point{
	{name: "login, before the service answers", line: "ghscoped login", held: "GET api/connection", says: "Interrupted.", then: (*scene).noFlow},
	{name: "login, while the code is asked for", line: "ghscoped login", held: "POST api/flows", after: true, goes: true, says: "Interrupted.", then: (*scene).cancelled},
	{name: "login, while a code is asked for in vain", line: "ghscoped login", held: "POST api/flows", says: "Interrupted.", then: (*scene).noFlow},
	{name: "login, when the code is shown", line: "ghscoped login", shown: "Enter the code", says: "Interrupted.", then: (*scene).cancelled},
	{name: "login, while it waits", line: "ghscoped login", held: "GET api/flows/current/events", says: "Interrupted.", then: (*scene).cancelled},
	{name: "login, into a pipe", line: "ghscoped login | cat", shown: "Enter the code", says: "Interrupted.", then: (*scene).cancelled},
	{name: "login, and the service does not hear of it", line: "ghscoped login", shown: "Enter the code", held: "DELETE api/flows/current", late: true,
		says: "Interrupted, but the service could not be told.\n  The code is valid until it expires; do not approve it."},
	{name: "login, approved", line: "ghscoped login", approve: "service", held: "GET api/connection", skip: 1,
		says: "Interrupted, but you are connected to GitHub by now.\n  ghscoped logout ends that.", then: (*scene).connected},
	{name: "push, before the service answers", first: (*scene).cloned, line: "git push", held: "POST api/credential", then: (*scene).noFlow},
	{name: "push, while the code is asked for", first: (*scene).cloned, line: "git push", held: "POST api/flows", then: (*scene).noFlow},
	{name: "push, while it waits", first: (*scene).cloned, line: "git push", shown: " left", then: (*scene).sameCode},
	{name: "push, approved", first: (*scene).cloned, line: "git push", approve: "service", held: "POST api/credential", skip: 1, then: (*scene).pushes},
	{name: "status", line: "ghscoped status", held: "GET api/connection", says: "Interrupted."},
	{name: "doctor, at the service", line: "ghscoped doctor", held: "GET api/openapi.yaml", says: "Interrupted."},
	{name: "logout, before the service hears of it", first: (*scene).connect, line: "ghscoped logout", held: "DELETE api/connection",
		says: "Interrupted before the service has answered.\n  ghscoped status says whether you are still connected.", then: (*scene).connected},
	{name: "logout, before its answer", first: (*scene).connect, line: "ghscoped logout", held: "DELETE api/connection", after: true,
		says: "Interrupted before the service has answered.\n  ghscoped status says whether you are still connected.", then: (*scene).disconnected},
}

// atGitHub: between the program and GitHub, without a service.
var atGitHub = []point{
	{name: "login alone, before GitHub answers", line: "ghscoped login", held: "POST /login/device/code", says: "Interrupted.", then: (*scene).nothingKept},
	{name: "login alone, when the code is shown", line: "ghscoped login", shown: "Enter the code", says: "Interrupted.", then: (*scene).nothingKept},
	{name: "login alone, while it asks", line: "ghscoped login", held: "POST /login/oauth/access_token", says: "Interrupted.", then: (*scene).nothingKept},
	{name: "login alone, while the token comes", line: "ghscoped login", approve: "alone", held: "POST /login/oauth/access_token", after: true, goes: true,
		says: "Interrupted, but you are connected to GitHub by now.\n  ghscoped logout ends that.", then: (*scene).kept},
	{name: "login alone, approved, and GitHub is silent", line: "ghscoped login", approve: "alone", held: "GET /user", says: "Interrupted.", then: (*scene).nothingKept},
	{name: "login alone, approved, and GitHub goes on", line: "ghscoped login", approve: "alone", held: "GET /user", goes: true,
		says: "Interrupted, but you are connected to GitHub by now.\n  ghscoped logout ends that.", then: (*scene).kept},
	{name: "logout alone", first: (*scene).loginAlone, line: "ghscoped logout", held: "POST /credentials/revoke", says: "Interrupted.", then: (*scene).kept},
	{name: "doctor, at GitHub", line: "ghscoped doctor", held: "GET /", says: "Interrupted."},
}

// Each program is interrupted by Ctrl-C at a real terminal, typed at a point that
// something observable has told of.
func TestInterruptAtEachPoint(t *testing.T) {
	t.Parallel()
	for _, tc := range hubtest.Some(atTheService, 3) {
		t.Run(tc.name, func(t *testing.T) { t.Parallel(); tc.play(newScene(t, false)) })
	}
	for _, tc := range hubtest.Some(atGitHub, 3) {
		t.Run(tc.name, func(t *testing.T) { t.Parallel(); tc.play(newScene(t, true)) })
	}
}

// play types the line and, at the point, Ctrl-C.
func (tc point) play(s *scene) {
	if tc.first != nil {
		tc.first(s)
	}
	before := s.run("stty -a")
	if tc.held != "" {
		s.gate.Hold(tc.held, tc.skip, tc.after)
	}
	if tc.approve != "" {
		go func() { _ = shared.approve(s.ctx, s.p, tc.approve == "alone") }() // else what waits for it fails
	}
	from := len(s.terminal.Text())
	require.NoError(s, s.terminal.Type(tc.line+"\n"))
	if tc.held != "" && !tc.late {
		require.NoError(s, s.gate.Held(s.ctx), s.terminal.Text())
	}
	require.NoError(s, s.terminal.Until(s.ctx, from, func(text string) bool { return strings.Contains(text, tc.shown) }))
	require.NoError(s, s.terminal.Type("\x03"))
	require.NoError(s, s.terminal.Until(s.ctx, from, func(text string) bool { return strings.Contains(text, "^C") }))
	if tc.goes {
		s.gate.Release(200 * time.Millisecond)
	}
	require.NoError(s, s.terminal.Until(s.ctx, from, func(text string) bool { return strings.Contains(text, "^C") && strings.Contains(text, rig.Prompt) }))
	require.NoError(s, s.terminal.Quiet(s.ctx), "a program of it lives on")

	text := s.terminal.Text()[from:]
	require.True(s, strings.HasSuffix(text, "\n"+rig.Prompt), "the prompt is on a line of its own, and nothing is written over it: %q", text)
	require.NotContains(s, text, "\x1b[?25l", "the cursor was hidden")
	require.Contains(s, strings.ReplaceAll(text, "\r\n", "\n"), tc.says)
	require.Equal(s, "130\n", s.run("echo ${PIPESTATUS[0]}"), text)
	require.Equal(s, before, s.run("stty -a"), "the terminal is as it was")
	if tc.then != nil {
		tc.then(s)
	}
}

func newScene(t *testing.T, alone bool) *scene {
	t.Helper()
	s := &scene{T: t, ctx: hubtest.Context(t), home: t.TempDir()}
	var err error
	s.p, err = shared.newPerson(s.ctx)
	require.NoError(t, err)
	target, github := strings.TrimSuffix(shared.Hub.ServiceURL, "/"), shared.GitHub.URL()
	if alone {
		target = github
	}
	s.gate, err = rig.NewGate(target)
	require.NoError(t, err)
	t.Cleanup(s.gate.Close)
	s.env = []string{"HOME=" + s.home, "PATH=" + shared.bin + string(os.PathListSeparator) + os.Getenv("PATH"), "TERM=xterm", "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org"}
	if alone {
		s.env = append(s.env, "GHSCOPED_GITHUB_URL="+s.gate.URL(), "GH_SCOPED_CREDS_CLIENT_ID="+s.p.clientID)
	} else {
		s.env = append(s.env, "GHSCOPED_GITHUB_URL="+github, "GHSCOPED_URL="+s.gate.URL()+"/")
		for name, value := range shared.serverEnv(s.p) {
			s.env = append(s.env, name+"="+value)
		}
	}
	s.terminal, err = rig.OpenTerminal(s.ctx, s.home, s.env)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.terminal.Close()) })
	return s
}

// run types a line and returns what it shows.
func (s *scene) run(line string) string {
	s.Helper()
	out, err := s.terminal.Run(s.ctx, line)
	require.NoError(s, err)
	return out
}

func (s *scene) flow() string {
	s.Helper()
	var body string
	rig.Call(s, s.p, "GET", "api/flows/current", nil, &body)
	return body
}

func (s *scene) noFlow() { require.Contains(s, s.flow(), `"no_flow"`) }

func (s *scene) cancelled() { require.Contains(s, s.flow(), `"state":"cancelled"`) }

func (s *scene) connect() { require.NoError(s, shared.connect(s.ctx, s.p)) }

func (s *scene) connected() { require.Contains(s, s.run("ghscoped status"), "Connected") }

func (s *scene) disconnected() {
	require.Contains(s, s.run("ghscoped status"), "Not connected to GitHub.")
}

// cloned leaves the terminal in a repository with a commit to push.
func (s *scene) cloned() {
	s.run("ghscoped setup && git clone -q " + shared.GitHub.URL() + "/" + s.p.name + "/hello && cd hello && git commit -q --allow-empty -m one")
}

// pushes: the same again, and nothing more is asked.
func (s *scene) pushes() {
	require.False(s, shared.hasPushed(s.p, s.p.name+"/hello"))
	require.NotContains(s, s.run("git push -q"), "Enter the code")
	require.True(s, shared.hasPushed(s.p, s.p.name+"/hello"))
}

// sameCode: the code that was shown is still valid, and the next push says so.
func (s *scene) sameCode() {
	require.Contains(s, s.flow(), `"state":"pending"`)
	require.Contains(s, s.run("ghscoped status"), "Not connected yet: open ")
	go func() { _ = shared.approve(s.ctx, s.p, false) }() // else the push fails
	require.Contains(s, s.run("git push"), "git continues.")
	require.Equal(s, 1, strings.Count(s.flow(), `"id"`))
	require.True(s, shared.hasPushed(s.p, s.p.name+"/hello"))
}

// tokens are the person's that live, of the App that is used alone.
func (s *scene) tokens() (live int) {
	for _, token := range shared.GitHub.Tokens() {
		if token.ClientID == s.p.clientID && token.State == "live" {
			live++
		}
	}
	return live
}

func (s *scene) loginAlone() {
	go func() { _ = shared.approve(s.ctx, s.p, true) }() // else the login fails
	require.Contains(s, s.run("ghscoped login"), "Connected")
}

// kept: the token lives and is where git finds it.
func (s *scene) kept() {
	require.Equal(s, 1, s.tokens())
	require.Contains(s, s.run("ghscoped status"), "Connected")
	require.Contains(s, s.run("git credential fill <<<url="+s.gate.URL()), "password=ghu_")
}

// nothingKept: no token lives, and there is nothing where one would be.
func (s *scene) nothingKept() {
	require.Zero(s, s.tokens())
	require.Empty(s, slices.DeleteFunc(files(s.T, s.home), func(name string) bool { return name == ".bash_history" }))
}

func files(t *testing.T, folder string) (names []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err == nil && path != folder {
			names = append(names, strings.TrimPrefix(path, folder+"/"))
		}
		return err
	}))
	return names
}

// Interrupted while it waits for git's lock, setup has written nothing, and leaves
// the lock.
func TestSetupInterruptedWhileItWaitsForGitsLock(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	file := filepath.Join(home, ".gitconfig")
	const old = "[user]\n\tname = Ada\n"
	require.NoError(t, os.WriteFile(file, []byte(old), 0o644))
	require.NoError(t, os.WriteFile(file+".lock", nil, 0o644))
	setup := program(t, "setup")
	setup.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
	require.NoError(t, setup.Start())
	require.NoError(t, setup.Process.Signal(syscall.SIGINT))
	require.Error(t, setup.Wait())

	require.Equal(t, []string{".gitconfig", ".gitconfig.lock"}, files(t, home))
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, old, string(content))
}

// Enter ends the wait, and git goes on as if there were no helper.
func TestPushGoesOnWithoutAfterEnter(t *testing.T) {
	t.Parallel()
	s := newScene(t, false)
	s.cloned()
	from := len(s.terminal.Text())
	shows := func(wanted string) {
		t.Helper()
		require.NoError(t, s.terminal.Until(s.ctx, from, func(text string) bool { return strings.Contains(text, wanted) }))
	}
	require.NoError(t, s.terminal.Type("git push\n"))
	shows("Enter goes on without")
	require.NoError(t, s.terminal.Type("\n"))
	shows("git continues without; the code is valid until it expires.")
	shows("Username for ")
	require.NoError(t, s.terminal.Type("\x03"))
	shows(rig.Prompt)
	s.sameCode()
}
