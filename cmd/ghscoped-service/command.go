package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/ghscoped/ghscoped-service/internal/app"
	"github.com/ghscoped/ghscoped-service/internal/config"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// Exit codes.
const (
	exitOK    = 0
	exitFault = 1
	exitUsage = 2 // the settings or the command line
)

// invocation is everything of the process that a command sees.
type invocation struct {
	args, environ  []string
	readFile       config.ReadFile
	stdin          io.Reader
	stdout, stderr io.Writer
	build          func(config.Config, app.Dependencies) (service, error)
}

// service is what serve runs.
type service interface {
	Start(ctx context.Context) error
	Addr() net.Addr
	Failed() <-chan error
	Stop(ctx context.Context) error
}

// command is one way to call the program.
type command struct {
	name, doc string
	run       func(ctx context.Context, in invocation) int
}

// commands lists them all; the first is meant where none is named.
func commands() []command {
	return []command{
		{"serve", "runs the service", serve},
		{"check-config", "reports every fault of the settings, or prints them", checkConfig},
		{"healthcheck", "asks the running service whether it is well", healthcheck},
		{"policy", "checks a bot policy, or explains what it says to a request", policy},
		{"audit", "finds lines of the audit by user, action, repository and time", audit},
		{"install", "copies the ghscoped command into a folder, for users' servers", install},
		{"doctor", "checks everything the service depends on, and says how to fix what is broken", diagnose},
		{"create-app", "registers the GitHub App, by a form that it serves to your browser", createApp},
		{"keys", "makes and rotates the keys that seal the store", keys},
		{"user", "ends what the running service knows of a user who is gone", user},
		{"store", "checks and compacts the store's file", storeFile},
		{"version", "prints the version", version},
	}
}

// run picks the command that the first argument names.
func run(ctx context.Context, in invocation) int {
	all := commands()
	if len(in.args) == 0 || strings.HasPrefix(in.args[0], "-") {
		return all[0].run(ctx, in)
	}
	name := in.args[0]
	in.args = in.args[1:]
	for _, c := range all {
		if c.name == name {
			return c.run(ctx, in)
		}
	}
	if name == "help" {
		return usage(in.stdout)
	}
	fmt.Fprintf(in.stderr, "ghscoped-service: there is no command %q; see ghscoped-service -help\n", secret.Scrub(name))
	return exitUsage
}

// usage writes the commands and the settings.
func usage(w io.Writer) int {
	fmt.Fprint(w, "Usage: ghscoped-service [command] [settings]\n\nCommands\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-14s %s\n", c.name, c.doc)
	}
	fmt.Fprintln(w)
	if err := config.WriteHelp(w); err != nil {
		return exitFault
	}
	return exitOK
}

// settings loads the configuration. Where it cannot, ok is false and code is
// what to exit with; people have been told why.
func settings(in invocation) (cfg config.Config, code int, ok bool) {
	cfg, err := config.Load(in.args, in.environ, in.readFile)
	switch {
	case err == nil:
		return cfg, exitOK, true
	case errors.Is(err, flag.ErrHelp):
		return cfg, usage(in.stdout), false
	}
	fmt.Fprintf(in.stderr, "ghscoped-service: %v\n", err)
	return cfg, exitUsage, false
}
