package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/ghscoped/ghscoped-service/internal/release"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// Exit codes. docs/ghscoped.md lists them.
const (
	exitOK           = 0
	exitFailed       = 1
	exitUsage        = 2
	exitNotConnected = 3
	exitUnreachable  = 4
	exitInterrupted  = 130
)

// The two other names of the program.
const (
	helperName = "git-credential-ghscoped"
	aliasName  = "gh-scoped-creds"
)

// oneJSON says what the option json does.
const oneJSON = "print one JSON object, for programs"

// invocation is everything of the process that a command sees.
type invocation struct {
	args           []string
	getenv         func(string) string
	lookupenv      func(string) (string, bool)
	stdin          io.Reader
	stdout, stderr *os.File
	clock          func() time.Time
	http           *http.Client
	// identityFile is where a pod has its projected token by convention.
	identityFile string
}

// run answers git, and leaves everything else to cobra. git waits for its
// answer, so for its questions no commands are built and no signals are listened
// for: that takes threads (docs/decisions/0015).
func run(ctx context.Context, in invocation) int {
	args := in.args[1:]
	if name := filepath.Base(in.args[0]); name == helperName || name == aliasName {
		args = append([]string{name}, args...)
	}

	asksHelper := len(args) > 1 && !strings.HasPrefix(args[1], "-")
	switch {
	case asksHelper && args[0] == helperName:
		in.answerGit(ctx, args[1])
		return exitOK
	case asksHelper && args[0] == botHelperName && in.getenv(socketVariable) != "":
		in.answerGitForBot(ctx, args[1])
		return exitOK
	}
	return in.runCommand(ctx, args)
}

// runCommand runs the command that the words name, and says how it failed.
func (in invocation) runCommand(ctx context.Context, args []string) int {
	ctx, stop := interruptible(ctx)
	defer stop()
	root := newRoot(in)
	root.SetArgs(args)
	called, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}

	f := asCommandError(err)
	if ctx.Err() != nil && !f.shown && f.exit != exitInterrupted {
		f = &commandError{exit: exitInterrupted, code: "interrupted", message: "Interrupted."}
	}
	f.show(in, wantsJSON(called))
	return f.exit
}

// interruptible ends with Ctrl-C; a second one ends the process at once.
func interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// newRoot builds all commands.
func newRoot(in invocation) *cobra.Command {
	root := &cobra.Command{
		Use:   "ghscoped",
		Short: "Connect this Jupyter server to GitHub",
		Long: `ghscoped connects the Jupyter server it runs in to GitHub, and is git's
credential helper there.`,
		Version:       release.Version(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	asGroup(root)
	root.SetIn(in.stdin)
	root.SetOut(in.stdout)
	root.SetErr(in.stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return misused(cmd, err.Error()) })

	bot := &cobra.Command{Use: "bot", Short: "Run a command, or commit, as a bot"}
	asGroup(bot)
	bot.AddCommand(newBotExec(in), newBotCommit(in))
	root.AddCommand(newLogin(in), newStatus(in), newLogout(in), newSetup(in), newDoctor(in), newBotToken(in), bot,
		newGitHelper(), newBotHelper(), newAlias(in), newVersion())
	return root
}

// asGroup has a command that only holds others refuse words that name none of
// them. Options are those of the others, so it ignores them.
func asGroup(cmd *cobra.Command) {
	cmd.Args = cobra.ArbitraryArgs
	cmd.FParseErrWhitelist.UnknownFlags = true
	cmd.SuggestionsMinimumDistance = 2
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownCommand(cmd, args[0])
		}
		cmd.PrintErr(cmd.UsageString())
		return &commandError{exit: exitUsage, code: "usage", shown: true}
	}
}

// unknownCommand names the commands that are spelled alike, or else all.
func unknownCommand(group *cobra.Command, name string) *commandError {
	hint := "See " + group.CommandPath() + " --help."
	if near := group.SuggestionsFor(name); len(near) > 0 {
		hint = "Did you mean " + strings.Join(near, " or ") + "?"
	}
	return &commandError{exit: exitUsage, code: "usage", message: fmt.Sprintf("unknown command %q", secret.Scrub(name)), hint: hint}
}

// misused is a mistake in the options or arguments of a command.
func misused(cmd *cobra.Command, message string) *commandError {
	return &commandError{exit: exitUsage, code: "usage", message: secret.Scrub(message), hint: "See " + cmd.CommandPath() + " --help."}
}

// noArgs refuses arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return misused(cmd, fmt.Sprintf("unexpected argument %q", secret.Scrub(args[0])))
	}
	return nil
}

func wantsJSON(cmd *cobra.Command) bool {
	option := cmd.Flags().Lookup("json")
	return option != nil && option.Value.String() == "true"
}

// newVersion refuses a command that was removed, for one release.
func newVersion() *cobra.Command {
	return &cobra.Command{Use: "version", Hidden: true, DisableFlagParsing: true, RunE: func(*cobra.Command, []string) error {
		return &commandError{exit: exitUsage, code: "usage", message: "There is no command version any more.", hint: "Use ghscoped --version."}
	}}
}
