package deliver

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every change that the script makes is made by a program it starts. So stand-ins
// for these programs can end the script at each step: before the program runs,
// or in the middle of what it writes.

// stride is how far apart the steps are that a sweep tries: with -short it tries
// every fifth, and make test-sweeps all of them.
func stride() int {
	if testing.Short() {
		return 5
	}
	return 1
}

// saboteurs is a folder of stand-ins. The file "at" in it says at which call
// (1, 2, …) to strike, when (before, within) and with which signal.
func saboteurs(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for _, command := range commands {
		real, err := exec.LookPath(command)
		if err != nil {
			continue // no stty: then the script starts none either
		}
		within := ""
		if command == "cat" {
			within = "if [ $n = \"$at\" ] && [ $when = within ] && [ $# = 0 ]; then /bin/dd bs=7 count=1 2>/dev/null; kill -$signal 0; fi\n"
		}
		text := "#!/bin/sh\nread -r at when signal <" + folder + "/at\nn=1\nset -C\n" +
			"until command : 2>/dev/null >" + folder + "/call.$n; do n=$((n + 1)); done\n" +
			"if [ $n = \"$at\" ] && [ $when = before ]; then kill -$signal 0; fi\n" + within +
			"exec " + real + " \"$@\"\n"
		require.NoError(t, os.WriteFile(folder+"/"+command, []byte(text), 0o755))
	}
	return folder
}

// strike runs the script until the given call and reports whether that came.
func (p *place) strike(folder string, call int, when, signal string, job job) bool {
	p.t.Helper()
	require.NoError(p.t, os.WriteFile(folder+"/at", fmt.Appendf(nil, "%d %s %s\n", call, when, signal), 0o600))
	command := exec.Command("/bin/sh", "-c", job.script, "/bin/sh")
	command.Env = append(p.environment(), "PATH="+folder)
	command.Stdin = strings.NewReader(job.input.Reveal())
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	_ = command.Run() // it is meant to fail
	_, err := os.Stat(fmt.Sprintf("%s/call.%d", folder, call))
	return err == nil
}

func TestScriptKilledAtAnyStepLeavesEachFileOldOrNew(t *testing.T) {
	t.Parallel()
	d, err := New(Options{GHCommand: true})
	require.NoError(t, err)
	delivery, err := d.delivery(withToken("ghu_new"))
	require.NoError(t, err)
	for _, c := range []struct {
		name         string
		job          job
		when, signal string
	}{
		{"a first delivery", delivery, "before", "KILL"},
		{"a first delivery", delivery, "before", "HUP"},
		{"a later delivery", delivery, "before", "KILL"},
		{"a later delivery", delivery, "within", "KILL"},
		{"a delivery to another place", delivery, "before", "KILL"},
		{"a removal", d.removal(), "before", "KILL"},
	} {
		t.Run(c.name+" "+c.when+" "+c.signal, func(t *testing.T) {
			t.Parallel()
			steps := 0
			for call := 1; killAndRecover(t, c.name, c.job, call, c.when, c.signal); call += stride() {
				steps = call
			}
			require.Greater(t, steps, 8)
		})
	}
}

// killAndRecover kills one run at one step and reports whether there was such
// a step.
func killAndRecover(t *testing.T, name string, job job, call int, when, signal string) bool {
	t.Helper()
	p := newPlace(t)
	require.NoError(t, os.Mkdir(p.home+"/.config", 0o755))
	p.write(".gitconfig", "[user]\n\tname = Ada")
	untouched := p.state()
	options := Options{GHCommand: true}
	switch name {
	case "a first delivery":
	case "a delivery to another place":
		require.Equal(t, "done", p.deliverAs(Options{CredentialPath: "~/former", GHCommand: true}, withToken("ghu_old")))
	default:
		require.Equal(t, "done", p.deliverAs(options, withToken("ghu_old")))
	}
	before := p.state()

	came := p.strike(saboteurs(t), call, when, signal, job)
	after := p.state()
	require.Equal(t, "done", p.deliverAs(options, withToken("ghu_new")))
	delivered := p.state()
	for path, what := range after {
		require.False(t, signal == "HUP" && strings.Contains(path, ".ghscoped-new."), "a run that may end itself clears away: %s", path)
		if strings.Contains(path, ".ghscoped-new.") || strings.HasSuffix(path, ".lock") {
			require.NotContains(t, delivered, path, "what a killed run left is cleared away")
			continue
		}
		if path == "/former" {
			require.NotContains(t, delivered, path)
			continue
		}
		whole := what == before[path] || what == untouched[path] || withoutExpiry(what) == withoutExpiry(delivered[path])
		require.True(t, whole, "killed %s call %d: %s is %q", when, call, path, what)
	}
	require.Contains(t, p.fill("https", "github.com"), "password=ghu_new\n")
	require.Contains(t, p.read(".config/gh/hosts.yml"), "ghu_new")
	require.Equal(t, "done", p.remove(options))
	require.Equal(t, untouched, p.state(), "killed %s call %d", when, call)
	return came
}

func withoutExpiry(text string) string {
	kept, _, _ := strings.Cut(text, "password_expiry_utc=")
	return kept
}
