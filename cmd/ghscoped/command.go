package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

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

// invocation is everything of the process that a command sees.
type invocation struct {
	args           []string
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr *os.File
	clock          func() time.Time
	http           *http.Client
}

// command is one way to call the program.
type command struct {
	name, synopsis, doc string
	// flags declares the options and returns what runs with them.
	flags func(*flag.FlagSet, invocation) runner
}

// runner does a command's work; positional are the words after the options.
type runner func(ctx context.Context, in invocation, positional []string) error

// commands lists them all.
func commands() []command {
	return []command{
		{"login", "login [--client-id ID [--repository OWNER/NAME]] [--app-url URL] [--json]", "connects to GitHub: shows a code, waits for your approval, and says what you can push to", login},
		{"status", "status [--json]", "says which account is connected, until when, and which repositories it reaches", status},
		{"logout", "logout [--json]", "revokes the token and ends the connection", logout},
		{"setup", "setup [--system] [--rewrite-ssh] [--use-http-path] [--undo]", "has git ask ghscoped for GitHub's credentials", setup},
		{"doctor", "doctor [--json]", "checks every leg between git and GitHub, and says how to mend what is broken", doctor},
		{"bot-token", "bot-token --repo OWNER/NAME --permission NAME:LEVEL [--json]", "prints a token for a bot, as the Hub's policy allows it", botToken},
		{"bot exec", "bot exec --repo OWNER/NAME --permission NAME:LEVEL -- COMMAND", "runs a command as a bot, and revokes the token at the end", botExec},
		{botHelperName, botHelperName + " get|store|erase", "is git's credential helper inside of bot exec", botHelper},
		{helperName, helperName + " get|store|erase", "is git's credential helper; git calls it, people need not", gitHelper},
		{aliasName, aliasName + " [--client-id ID] [--github-app-url URL] [--git-credentials-path FILE]", "is login with the options of the program of that name", alias},
		{"version", "version", "prints the version", version},
	}
}

// The two other names of the program.
const (
	helperName = "git-credential-ghscoped"
	aliasName  = "gh-scoped-creds"
)

// run picks the command by the program's name or by the first argument.
func run(ctx context.Context, in invocation) int {
	name := filepath.Base(in.args[0])
	in.args = in.args[1:]
	if name != helperName && name != aliasName {
		if len(in.args) == 0 {
			_ = usage(in.stderr)
			return exitUsage
		}
		name, in.args = in.args[0], in.args[1:]
	}
	if name == "bot" && len(in.args) > 0 { // its one command has two words
		name, in.args = name+" "+in.args[0], in.args[1:]
	}
	if slices.Contains([]string{"help", "-h", "-help", "--help"}, name) {
		_ = usage(in.stdout)
		return exitOK
	}
	for _, c := range commands() {
		if c.name == name {
			return c.run(ctx, in)
		}
	}
	fmt.Fprintf(in.stderr, "ghscoped: there is no command %q; see ghscoped help\n", secret.Scrub(name))
	return exitUsage
}

// run reads the options, does the work and tells people how it went.
func (c command) run(ctx context.Context, in invocation) int {
	set := flag.NewFlagSet(c.name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	work := c.flags(set, in)
	switch err := set.Parse(in.args); {
	case errors.Is(err, flag.ErrHelp):
		_ = c.help(in.stdout, set)
		return exitOK
	case err != nil:
		fmt.Fprintf(in.stderr, "ghscoped: %s\n", secret.Scrub(err.Error()))
		_ = c.help(in.stderr, set)
		return exitUsage
	}
	if c.name != helperName { // which has nothing to tidy up until it waits for somebody, see connectForGit
		var stop context.CancelFunc
		ctx, stop = interruptible(ctx)
		defer stop()
	}
	err := work(ctx, in, set.Args())
	if err == nil {
		return exitOK
	}
	f := asFault(err)
	if ctx.Err() != nil && !f.shown && f.exit != exitInterrupted {
		f = &fault{exit: exitInterrupted, code: "interrupted", message: "Interrupted."}
	}
	f.show(in, wantsJSON(set))
	return f.exit
}

func wantsJSON(set *flag.FlagSet) bool {
	option := set.Lookup("json")
	return option != nil && option.Value.String() == "true"
}

// noWords refuses words after the options.
func noWords(positional []string) error {
	if len(positional) > 0 {
		return &fault{exit: exitUsage, code: "usage", message: fmt.Sprintf("There is no use for %q.", secret.Scrub(positional[0])),
			hint: "--help lists the options."}
	}
	return nil
}

func usage(w io.Writer) error {
	var text strings.Builder
	text.WriteString("Usage: ghscoped COMMAND [options]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(&text, "  ghscoped %s\n      %s\n", c.synopsis, c.doc)
	}
	text.WriteString("\nEach command has --help.\n")
	_, err := io.WriteString(w, text.String())
	return err
}

func (c command) help(w io.Writer, set *flag.FlagSet) error {
	var text strings.Builder
	fmt.Fprintf(&text, "Usage: ghscoped %s\n\nghscoped %s %s.\n", c.synopsis, c.name, c.doc)
	set.VisitAll(func(f *flag.Flag) {
		value, doc := flag.UnquoteUsage(f)
		fmt.Fprintf(&text, "\n  --%s\n      %s\n", strings.TrimSpace(f.Name+" "+value), doc)
	})
	_, err := io.WriteString(w, text.String())
	return err
}
