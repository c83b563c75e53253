package main

import (
	"context"
	"errors"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/ghscoped/ghscoped-service/internal/client"
	"github.com/ghscoped/ghscoped-service/internal/gitconfig"
)

// Exit codes of bot exec where the command could not be run, as a shell has
// them. Otherwise it is the command's own, 128 and the number for a signal.
const (
	exitCannotRun = 126
	exitNoCommand = 127
	exitSignalled = 128
)

// newBotExec runs a command with a bot's token, and revokes it at the end.
// Options end at the first word of that command, as those of env(1) do.
func newBotExec(in invocation) *cobra.Command {
	var o botOptions
	cmd := &cobra.Command{
		Use:   "exec --repo OWNER/NAME --permission NAME:LEVEL -- COMMAND",
		Short: "Run a command as a bot, and revoke the token at the end",

		DisableFlagsInUseLine: true,

		RunE: func(cmd *cobra.Command, command []string) error { return in.botExec(cmd.Context(), o, command) },
	}
	o.declare(cmd.Flags())
	cmd.Flags().SetInterspersed(false)
	return cmd
}

func (in invocation) botExec(ctx context.Context, o botOptions, command []string) error {
	asked, err := o.request()
	if err != nil {
		return err
	}
	if len(command) == 0 {
		return &commandError{exit: exitUsage, code: "usage", message: "No command is named.", hint: "As in: ghscoped bot exec --repo … --permission … -- make publish"}
	}
	service, err := in.botService()
	if err != nil {
		return err
	}
	asked.Exclusive = true // it is revoked at the end, which must end no other job
	atGitHub, _, err := in.github("ends-tokens-only", "")
	if err != nil {
		return err
	}
	a := &tokenAgent{service: service, github: atGitHub, asked: asked, clock: in.clock}
	return in.runJob(ctx, a, command)
}

// runJob runs the command for as long as it takes, whatever becomes of ctx: it
// is the command's affair to end at a signal.
func (in invocation) runJob(ctx context.Context, a *tokenAgent, command []string) error {
	defer in.endJob(ctx, a)
	minting, stop := lingering(ctx) // a token that comes now must be revoked
	token, err := a.token(minting)
	stop()
	if err = errors.Join(err, ctx.Err()); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	socket, remove, err := a.listen(ctx, os.TempDir())
	if err != nil {
		return err
	}
	defer remove()
	github, err := githubURL(in.getenv)
	if err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	job := exec.Command(command[0], command[1:]...)
	job.Stdin, job.Stdout, job.Stderr = in.stdin, in.stdout, in.stderr
	job.Env = append(os.Environ(), jobEnv(in.getenv, github, token, socket, program)...)
	return in.wait(job)
}

func (in invocation) endJob(ctx context.Context, a *tokenAgent) {
	if err := a.end(ctx); err != nil {
		p := newPrinter(in.stderr, in.getenv)
		p.line(p.red("ghscoped: ") + "The job's token could not be revoked; it expires within the hour. " + printable(asCommandError(err).message))
	}
}

// wait runs the command, passes signals on to it, and ends as it did.
func (in invocation) wait(job *exec.Cmd) error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(signals)
	if err := job.Start(); err != nil {
		f := &commandError{exit: exitCannotRun, code: "cannot_run", message: "The command cannot be run: " + err.Error()}
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
			f.exit = exitNoCommand
		}
		return f
	}
	ended := make(chan error, 1)
	go func() { ended <- job.Wait() }()
	for {
		select {
		case s := <-signals:
			if !in.toldByTerminal(s) {
				_ = job.Process.Signal(s) // it may have ended just now
			}
		case err := <-ended:
			status, ok := job.ProcessState.Sys().(syscall.WaitStatus)
			if ok && status.Signaled() && in.toldByTerminal(status.Signal()) {
				_, _ = io.WriteString(in.stderr, "\n") // after the ^C, which nobody else does
			}
			return endedAs(err)
		}
	}
}

// toldByTerminal: Ctrl-C and Ctrl-\ at a terminal reach the command without us,
// and a second signal would mean something else to many programs.
func (in invocation) toldByTerminal(s os.Signal) bool {
	file, ok := in.stdin.(*os.File)
	return ok && (s == syscall.SIGINT || s == syscall.SIGQUIT) && term.IsTerminal(int(file.Fd()))
}

func endedAs(err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	code := exit.ExitCode()
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		code = exitSignalled + int(status.Signal())
	}
	return &commandError{exit: code, code: "job_failed", message: exit.String(), shown: true}
}

// jobEnv is what a job gets beside our own environment: the token for programs
// that want it there, for as long as its hour lasts; git's configuration, which
// asks the token agent each time; and the name for commits.
func jobEnv(getenv func(string) string, github *url.URL, token client.BotToken, socket, program string) []string {
	env := []string{
		socketVariable + "=" + socket, "GIT_TERMINAL_PROMPT=0",
		"GH_TOKEN=" + token.Token.Reveal(), "GITHUB_TOKEN=" + token.Token.Reveal(),
	}
	if token.Git.Name != "" {
		env = append(env, "GIT_AUTHOR_NAME="+token.Git.Name, "GIT_AUTHOR_EMAIL="+token.Git.Email,
			"GIT_COMMITTER_NAME="+token.Git.Name, "GIT_COMMITTER_EMAIL="+token.Git.Email)
	}
	if github.Host != "github.com" { // as the program gh wants it
		env = append(env, "GH_HOST="+github.Host, "GH_ENTERPRISE_TOKEN="+token.Token.Reveal())
	}
	helper := "!'" + strings.ReplaceAll(program, "'", `'\''`) + "' " + botHelperName
	return append(env, configEnv(getenv, jobSettings(github, token.Repositories, helper))...)
}

// configEnv adds settings to those that git has from the environment.
func configEnv(getenv func(string) string, settings [][2]string) (env []string) {
	count, _ := strconv.Atoi(getenv("GIT_CONFIG_COUNT")) // git refuses what is no number; then ours counts alone
	for _, setting := range settings {
		n := strconv.Itoa(count)
		env = append(env, "GIT_CONFIG_KEY_"+n+"="+setting[0], "GIT_CONFIG_VALUE_"+n+"="+setting[1])
		count++
	}
	return append(env, "GIT_CONFIG_COUNT="+strconv.Itoa(count))
}

// jobSettings have git use the credential of a helper and no other, whatever else is
// configured, each as key and value.
func jobSettings(github *url.URL, repositories []string, helper string) [][2]string {
	address := strings.TrimSuffix(github.String(), "/")
	settings := [][2]string{
		// The empty helper first: no other one gets a copy.
		{"credential." + address + ".helper", ""}, {"credential." + address + ".helper", helper},
		// An empty one drops those before it, such as the one of actions/checkout.
		{"http." + address + "/.extraheader", ""},
	}
	if len(repositories) == 0 {
		return settings
	}
	// git takes the longest address that fits: one with the owner goes before somebody's
	// rewriting of the whole host, to an address with a password in it, say, or to ssh.
	owner, _, _ := strings.Cut(repositories[0], "/")
	https := address + "/" + owner + "/"
	for _, key := range []string{"url." + https + ".insteadOf", "url." + https + ".pushInsteadOf"} {
		for _, form := range append(gitconfig.SSHForms(github.Hostname()), address+"/") {
			settings = append(settings, [2]string{key, form + owner + "/"})
		}
	}
	return settings
}
