package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ghscoped/ghscoped-service/internal/client"
	"github.com/ghscoped/ghscoped-service/internal/git"
)

// usualWait is how long a push waits for its user to connect, unless
// GHSCOPED_WAIT says otherwise.
const usualWait = 5 * time.Minute

// connectForGit lets the user connect while git waits, where somebody is there to do
// so. Without a connection, git goes on as if there were no helper; or it ends, where
// its user was asked in vain, since to be asked for a user name next helps nobody.
//
// git has our standard output and perhaps the others too; the person is at the
// terminal. Only here is Ctrl-C listened for: that takes threads, and git's every
// question would wait for them.
func (in invocation) connectForGit(ctx context.Context, service *client.Client) (connected bool, err error) {
	limit, err := waitLimit(in.getenv)
	if err != nil {
		return false, err
	}
	if limit == 0 {
		return false, notConnected(in.getenv)
	}
	terminal := in.personsTerminal()
	if terminal == nil {
		socket, editor := in.getenv(labVariable), in.editorAsks()
		switch {
		case (socket == "" && !editor) || !in.noOtherWay(ctx):
			return false, notConnected(in.getenv)
		case socket != "" && labShowsCodes(ctx, socket):
			return in.connectInLab(ctx, service, limit)
		case editor:
			why := notConnected(in.getenv)
			why.message, why.hint = why.message+" "+why.hint, "" // it shows the first line
			return false, in.endGit(why)
		}
		return false, notConnected(in.getenv)
	}
	defer terminal.Close()
	if !in.mayAsk(ctx) {
		return false, notConnected(in.getenv)
	}

	ctx, stop := interruptible(ctx)
	defer stop()
	in.stderr = terminal // where people look
	p := newPrinter(terminal, in.getenv)
	p.guest = true
	p.line(p.bold("git needs GitHub, and you are not connected yet."))
	err = in.followUntilEnter(ctx, service, terminal, p, limit)
	switch {
	case err == nil:
		p.line(p.green("Connected.") + " git continues.")
		return true, nil
	case errors.Is(err, errEnter):
		p.line("git continues without; the code is valid until it expires.")
		return false, nil
	case ctx.Err() != nil: // the same Ctrl-C has ended git
		return false, nil
	}
	return false, in.endGit(asCommandError(err))
}

// endGit says why there is no connection, and has git end.
func (in invocation) endGit(why *commandError) error {
	why.show(in, false)
	_, err := io.WriteString(in.stdout, "quit=1\n")
	return err
}

// errEnter: the person would rather go on without.
var errEnter = errors.New("the person has pressed Enter")

func (in invocation) followUntilEnter(ctx context.Context, service *client.Client, terminal *os.File, p printer, limit time.Duration) error {
	flow, _, err := startFlow(ctx, service)
	if err != nil {
		return err
	}
	waiting, enough := context.WithCancelCause(ctx)
	defer enough(nil)
	go func() {
		if enterPressed(waiting, terminal) {
			enough(errEnter)
		}
	}()
	people := &forPeople{printer: p, page: client.Page(in.getenv), enter: true}
	err = follow(waiting, service, flow, people, limit)
	if err != nil && ctx.Err() == nil && errors.Is(context.Cause(waiting), errEnter) {
		return errEnter
	}
	return err
}

// personsTerminal is the terminal of somebody who looks at it; nil where there is none.
//
// A program that reads what git asks runs it on a terminal of its own, which git then
// leads: the dialog of jupyterlab-git does so. In a person's terminal git is a job in
// the foreground, and something else leads.
func (in invocation) personsTerminal() *os.File {
	terminal, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil
	}
	foreground, errFg := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPGRP)
	leader, errLead := unix.Getsid(0)
	if errFg != nil || errLead != nil || foreground != syscall.Getpgrp() || isGit(leader) {
		_ = terminal.Close()
		return nil
	}
	return terminal
}

func isGit(process int) bool {
	program, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(process), "comm"))
	return err == nil && strings.HasPrefix(string(program), "git")
}

// mayAsk reports whether git's user wants to be asked at the terminal, and has no
// other way: a program that asks for passwords (git(1), GIT_ASKPASS), or another helper.
func (in invocation) mayAsk(ctx context.Context) bool {
	prompts, set := in.lookupenv("GIT_TERMINAL_PROMPT")
	return (!set || git.True(prompts)) && in.noOtherWay(ctx)
}

// noOtherWay reports whether nothing but a connection helps. JupyterLab's Git panel
// has git prompt nobody (GIT_TERMINAL_PROMPT), which is about terminals.
func (in invocation) noOtherWay(ctx context.Context) bool {
	host, err := githubURL(in.getenv)
	programs := git.OnPath(in.getenv("PATH"))
	if err != nil || len(programs) == 0 {
		return false
	}
	program := programs[0]
	ctx, cancel := context.WithTimeout(ctx, trialLimit)
	defer cancel()
	if interactive, set := program.Setting(ctx, "credential.interactive", host); set && (interactive == "never" || !git.True(interactive)) {
		return false
	}
	if in.asksElsewhere(ctx, program) {
		return false
	}
	program.Env = []string{trialVariable + "=" + trialSilence}
	other, err := program.Fill(ctx, host)
	var nobody *git.Error
	return errors.As(err, &nobody) || err == nil && other.Password.Empty()
}

// asksElsewhere reports whether git has a program that it asks for passwords by,
// which it does in this order. The dialog of an editor knows none by itself.
func (in invocation) asksElsewhere(ctx context.Context, program git.Program) bool {
	if ask, set := in.lookupenv("GIT_ASKPASS"); set {
		return ask != "" && !in.editorAsks()
	}
	if ask, set := program.Value(ctx, "core.askPass"); set {
		return ask != ""
	}
	return in.getenv("SSH_ASKPASS") != ""
}

// editorAsks reports whether git asks for passwords by the dialog of VS Code or RStudio,
// which ask a person for a user name and a password: what connecting is to replace. They
// show what a git that has ended said.
func (in invocation) editorAsks() bool {
	ask := in.getenv("GIT_ASKPASS")
	return filepath.Base(ask) == "rpostback-askpass" || (ask != "" && in.getenv("VSCODE_GIT_ASKPASS_MAIN") != "")
}

// enterPressed waits for a line on the terminal, until ctx ends. What was typed
// before is not meant for us, and is left to whoever it is for.
func enterPressed(ctx context.Context, terminal *os.File) bool {
	if readable(terminal, 0) {
		return false
	}
	for ctx.Err() == nil {
		if readable(terminal, 100*time.Millisecond) {
			_, err := terminal.Read(make([]byte, 4096)) // one line
			return err == nil
		}
	}
	return false
}

func readable(terminal *os.File, wait time.Duration) bool {
	polled := []unix.PollFd{{Fd: int32(terminal.Fd()), Events: unix.POLLIN}}
	n, err := unix.Poll(polled, int(wait.Milliseconds()))
	return err == nil && n > 0 && polled[0].Revents&unix.POLLIN != 0
}

// waitLimit is how long to wait for the user; 0: not at all.
func waitLimit(getenv func(string) string) (time.Duration, error) {
	text := getenv("GHSCOPED_WAIT")
	if text == "" {
		return usualWait, nil
	}
	limit, err := time.ParseDuration(text)
	if text == "0" {
		limit, err = 0, nil
	}
	if err != nil || limit < 0 {
		return 0, &commandError{exit: exitUsage, code: "bad_wait", message: "GHSCOPED_WAIT is not a length of time.", hint: "It must look like 90s or 5m; 0 does not wait."}
	}
	return limit, nil
}
