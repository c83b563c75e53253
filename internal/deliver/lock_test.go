package deliver

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/gitconfig/gitconfigtest"
)

// TestDeliverWhileGitChangesTheConfiguration: git sets something eight times while
// a delivery runs, and again while a removal does. Nothing is lost, and nothing is
// called damaged. With -short there are 160 such calls; make test-sweeps has 3,168.
func TestDeliverWhileGitChangesTheConfiguration(t *testing.T) {
	t.Parallel()
	rounds := 200 / len(shells)
	if testing.Short() {
		rounds = 10
	}
	for shell, prepare := range shellsTried() {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			for range rounds {
				p := newPlace(t)
				p.shell, p.path = prepare(t)
				p.write(".gitconfig", "[user]\n\tname = Ada")
				p.race("delivered", func() { require.Equal(t, "done", p.deliver(Options{GHCommand: true})) })
				require.Contains(t, p.fill("https", "github.com"), token)
				p.race("removed", func() { require.Equal(t, "done", p.remove(Options{})) })
				require.Empty(t, p.fill("https", "github.com"))

				text := p.read(".gitconfig")
				require.True(t, strings.HasPrefix(text, "[user]\n\tname = Ada\n"), text)
				require.NotContains(t, text, "ghscoped")
				require.Equal(t, 16, strings.Count(text, "\tkey"), text)
				require.NoFileExists(t, p.home+"/.gitconfig.lock")
			}
		})
	}
}

// race has git set eight values of a section while the deed is done. git does not
// wait for its lock, so whoever calls it has to.
func (p *place) race(section string, deed func()) {
	p.t.Helper()
	var all sync.WaitGroup
	all.Go(deed)
	for i := range 8 {
		all.Go(func() {
			for {
				command := exec.Command("git", "config", "--global", fmt.Sprintf("%s.key%d", section, i), "kept")
				command.Env = p.environment()
				said, err := command.CombinedOutput()
				if err == nil {
					return
				}
				if !bytes.Contains(said, []byte("could not lock")) {
					p.t.Errorf("git: %s", said)
					return
				}
			}
		})
	}
	all.Wait()
	for i := range 8 {
		require.Equal(p.t, "kept\n", p.git("", "config", "--global", fmt.Sprintf("%s.key%d", section, i)))
	}
}

func TestDeliverAtOnceInAFreshHome(t *testing.T) {
	t.Parallel()
	for shell, prepare := range shellsTried() {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			for range 20 / stride() {
				p := newPlace(t)
				p.shell, p.path = prepare(t)
				tokens := []string{"ghu_one", "ghu_two", "ghu_three"}
				var all sync.WaitGroup
				verdicts := make([]string, len(tokens))
				for i, token := range tokens {
					all.Go(func() { verdicts[i] = p.deliverAs(Options{GHCommand: true}, withToken(token)) })
				}
				all.Wait()
				require.Equal(t, []string{"done", "done", "done"}, verdicts)
				filled := p.fill("https", "github.com")
				require.Contains(t, filled, "password=ghu_")
				_, filled, _ = strings.Cut(filled, "password=")
				last, _, _ := strings.Cut(filled, "\n")
				require.Contains(t, p.read(".config/gh/hosts.yml"), last, "all files are of the same delivery")
				require.Equal(t, "done", p.remove(Options{}))
				require.NoDirExists(t, p.home+"/.config/ghscoped")
				require.NoFileExists(t, p.home+"/.gitconfig")
			}
		})
	}
}

// instantSleep puts a sleep before the others on the path that takes no time, and
// does the deed at its first call. It returns the name of a folder that is there once
// it was called.
func (p *place) instantSleep(deed string) (slept string) {
	p.t.Helper()
	folder := p.t.TempDir()
	text := "#!/bin/sh\nPATH=" + p.path + "\nif mkdir " + folder + "/slept 2>/dev/null; then :; " + deed + "\nfi\n"
	require.NoError(p.t, os.WriteFile(folder+"/sleep", []byte(text), 0o755))
	p.path = folder + ":" + p.path
	return folder + "/slept"
}

// stand puts a program before the others on the path; PATH in it is without it.
func (p *place) stand(name, text string) {
	p.t.Helper()
	folder := p.t.TempDir()
	require.NoError(p.t, os.WriteFile(folder+"/"+name, []byte("#!/bin/sh\nPATH="+p.path+"\n"+text+"\n"), 0o755))
	p.path = folder + ":" + p.path
}

// thisMachine is how a run names the machine and container that it is in.
func thisMachine(t *testing.T) string {
	t.Helper()
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	require.NoError(t, err)
	container, err := os.Readlink("/proc/self/ns/pid")
	require.NoError(t, err)
	return strings.Trim(container, "pid:[]") + "-" + strings.TrimSpace(string(boot))
}

// endedProcess is the number of a process that is over.
func endedProcess(t *testing.T) int {
	t.Helper()
	command := exec.Command("true")
	require.NoError(t, command.Run())
	return command.Process.Pid
}

// notAtAll is no deed: nobody waits.
const notAtAll = ": not at all"

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestDeliverLockOfTheGitConfiguration(t *testing.T) {
	t.Parallel()
	machine := thisMachine(t)
	ours := func(process int, machine string) string {
		return fmt.Sprintf("# The lock of ghscoped .ghscoped-new.X.%d.%s\n# …\n", process, machine)
	}
	for _, c := range []struct {
		name, lock string
		deed       string // while the delivery waits
		code       string
	}{
		{"git is done soon", "[user]\n", `rm "$HOME/.gitconfig.lock"`, "done"},
		{"a git that was killed", "[user]\n\tname = Ada\n", "", "git_config_busy"},
		{"a git that was killed before it wrote", "", "", "git_config_busy"},
		{"a git whose file has our block", "# >>> ghscoped >>> x\n# <<< ghscoped <<<\n", "", "git_config_busy"},
		{"a delivery that was killed", ours(endedProcess(t), machine), notAtAll, "done"},
		{"a delivery in another container, done soon", ours(1, "another"), `rm "$HOME/.gitconfig.lock"`, "done"},
		{"a delivery in another container that was killed", ours(1, "another"), "", "done"},
		{"a delivery that hangs", ours(os.Getpid(), machine), "", "done"},
	} {
		// busybox has a sleep of its own
		inEachShell(t, c.name, func(t *testing.T, p *place) {
			slept := p.instantSleep(c.deed)
			p.write(".gitconfig", "[user]\n\tname = Ada\n")
			p.write(".gitconfig.lock", c.lock)
			before := p.state()
			require.Equal(t, c.code, p.deliver(Options{}))
			require.Equal(t, c.deed != notAtAll, exists(slept), "it waits")
			if c.code == "done" {
				require.Contains(t, p.fill("https", "github.com"), token)
				require.NoFileExists(t, p.home+"/.gitconfig.lock")
				return
			}
			require.Equal(t, before, p.state(), "the lock stays")
			require.Contains(t, causes[c.code].Hint, ".gitconfig.lock", "it says what to remove")
		}, "sh", "bash")
	}
}

// TestDeliverAfterASetupThatWasKilled: "ghscoped setup" was killed (SIGKILL) while it
// had git's lock; here in place of it is a process that does the same.
func TestDeliverAfterASetupThatWasKilled(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]func(p *place){
		"delivery": func(p *place) {
			slept := p.instantSleep("")
			require.Equal(t, "done", p.deliver(Options{}))
			require.NoDirExists(t, slept, "it does not wait")
			require.Contains(t, p.fill("https", "github.com"), token)
		},
		"removal": func(p *place) { require.Equal(t, "done", p.remove(Options{})) },
	} {
		inEachShell(t, name, func(t *testing.T, p *place) {
			p.write(".gitconfig", "[user]\n\tname = Ada\n")
			require.Equal(t, "done", p.deliver(Options{}))
			gitconfigtest.Kill(t, p.home+"/.gitconfig")
			after(p)
			require.NoFileExists(t, p.home+"/.gitconfig.lock")
			require.Equal(t, "Ada\n", p.git("", "config", "--global", "user.name"))
		})
	}
}

// TestDeliverLockThatIsNoFile: opening a pipe would hang, and what a link leads to
// is not ours.
func TestDeliverLockThatIsNoFile(t *testing.T) {
	t.Parallel()
	for name, plant := range map[string]func(p *place, lock string){
		"a pipe":      func(p *place, lock string) { mkfifo(p.t, lock) },
		"a folder":    func(p *place, lock string) { require.NoError(p.t, os.Mkdir(lock, 0o755)) },
		"a link":      func(p *place, lock string) { require.NoError(p.t, os.Symlink(p.write("victim", "precious"), lock)) },
		"a dead link": func(p *place, lock string) { require.NoError(p.t, os.Symlink("nowhere", lock)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.instantSleep("")
			p.write(".gitconfig", "[user]\n\tname = Ada\n")
			plant(p, p.home+"/.gitconfig.lock")
			before := p.state()
			require.Equal(t, "git_config_busy", p.deliver(Options{}))
			require.Equal(t, before, p.state())
		})
	}
}

// TestDeliverWaitsForItsTurn: the folder for new files of another run is in ours.
func TestDeliverWaitsForItsTurn(t *testing.T) {
	t.Parallel()
	machine := thisMachine(t)
	for _, c := range []struct {
		name, folder string
		deed         string
		prepare      func(p *place)
	}{
		{"a run that is done soon", fmt.Sprintf("A.%d.%s", os.Getpid(), machine), `rm -r "$HOME"/.config/ghscoped/.ghscoped-new.A*`, nil},
		{"a run that is done soon, where sleep knows no tenths", fmt.Sprintf("A.%d.%s", os.Getpid(), machine), `rm -r "$HOME"/.config/ghscoped/.ghscoped-new.A*`, func(p *place) {
			p.stand("sleep", `[ "$1" = 1 ] && exec sleep 1`)
		}},
		{"a run that was killed", fmt.Sprintf("A.%d.%s", endedProcess(t), machine), notAtAll, nil},
		{"a run that hangs", fmt.Sprintf("A.%d.%s", os.Getpid(), machine), "", nil},
		{"a run in another container that was killed", "A.1.another", "", nil},
		{"a run that was killed, where containers cannot be told apart", fmt.Sprintf("A.%d.unknown", endedProcess(t)), "", func(p *place) { p.stand("readlink", "exit 1") }},
		{"a later one by its name", "zzz.1.another", "", nil},
		{"a killed run of the former release", "A.1", notAtAll, nil},
	} {
		inEachShell(t, c.name, func(t *testing.T, p *place) {
			slept := p.instantSleep(c.deed)
			if c.prepare != nil {
				c.prepare(p)
			}
			p.write(".config/ghscoped/.ghscoped-new."+c.folder+"/ghscoped-new.credential", "password=ghu_killed\n")
			p.write(".config/gh/hosts.yml", "github.com:\n    oauth_token: ghu_killed\n")
			require.Equal(t, "done", p.deliver(Options{GHCommand: true}))
			require.Equal(t, c.deed != notAtAll, exists(slept), "it waits")
			require.Contains(t, p.fill("https", "github.com"), token)
			if !strings.HasPrefix(c.deed, "rm") {
				require.Contains(t, p.read(".config/gh/hosts.yml"), token, "what that run has put in place is known as ours")
			}
			for path := range p.state() {
				require.NotContains(t, path, ".ghscoped-new.")
			}
		}, "sh", "bash")
	}
}

func TestDeliverIsWaitedForByARemovalAndAnExpiry(t *testing.T) {
	t.Parallel()
	for name, act := range map[string]func(p *place) string{
		"a removal": func(p *place) string { return p.remove(Options{}) },
		"an expiry": func(p *place) string { return p.expire(Options{}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			require.Equal(t, "done", p.deliver(Options{}))
			p.write(".config/ghscoped/.ghscoped-new.A.1.another/file", "")
			slept := p.instantSleep(`[ -e "$HOME/.config/ghscoped/github.com/credential" ] && rm -r "$HOME"/.config/ghscoped/.ghscoped-new.A*`)
			require.Equal(t, "done", act(p))
			require.DirExists(t, slept)
			require.NoDirExists(t, p.home+"/.config/ghscoped/.ghscoped-new.A.1.another", "nothing was done before")
			require.NoFileExists(t, p.home+"/.config/ghscoped/github.com/credential")
		})
	}
}

// TestDeliverRunThatIsOvertaken: a run that was stopped while it had its turn, and
// goes on after another one has taken over, changes nothing any more.
func TestDeliverRunThatIsOvertaken(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	d, err := New(Options{})
	require.NoError(t, err)
	slow, err := d.delivery(withToken("ghu_slow"))
	require.NoError(t, err)
	fast, err := d.delivery(withToken("ghu_fast"))
	require.NoError(t, err)
	// The slow run's first mv waits for the fast run, which is not to wait for it.
	folder, path := t.TempDir(), p.path
	mkfifo(t, folder+"/reached")
	mkfifo(t, folder+"/go")
	require.NoError(t, os.WriteFile(folder+"/mv", []byte("#!/bin/sh\nPATH="+path+"\n"+
		"if mkdir "+folder+"/once 2>/dev/null; then echo >"+folder+"/reached; read -r _ <"+folder+"/go; fi\nexec mv \"$@\"\n"), 0o755))
	verdict := make(chan string)
	stopped := *p
	stopped.path = folder + ":" + path
	go func() { verdict <- stopped.run(slow) }()
	_, err = os.ReadFile(folder + "/reached")
	require.NoError(t, err)

	p.instantSleep("")
	require.Equal(t, "done", p.run(fast))
	require.NoError(t, os.WriteFile(folder+"/go", []byte("\n"), 0o600))
	code := <-verdict
	require.True(t, causes[code].Retryable, code)
	require.Contains(t, p.fill("https", "github.com"), "password=ghu_fast\n")
	require.Contains(t, p.read(".gitconfig"), "ghscoped")
}
