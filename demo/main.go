// Command demo runs a JupyterHub with the service in it: one address, one
// password, Ctrl-C ends everything. Without flags GitHub is the simulator;
// with -client-id and -app-url the same Hub works against the real one.
//
// It builds and installs nothing: make demo does both first.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
)

const (
	startLimit = 2 * time.Minute
	usualPort  = 8000 // taken if it is free, since people know it
)

type options struct {
	clientID, appURL, githubURL string
	hub                         string
	check, verbose              bool
}

func main() {
	o, err := parse(os.Args[1:])
	if err != nil {
		os.Exit(2) // the flag package has said why
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends at once
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("demo", flag.ContinueOnError)
	f.StringVar(&o.clientID, "client-id", "", "client id of a real GitHub App; needs -app-url")
	f.StringVar(&o.appURL, "app-url", "", "public page of that App, as in https://github.com/apps/NAME")
	f.StringVar(&o.githubURL, "github-url", "", "where that App is, if not at https://github.com")
	f.StringVar(&o.hub, "hub", "hub6", "the JupyterHub to use: hub6, hub5 or hub4, as installed by demo/install.sh")
	f.BoolVar(&o.check, "check", false, "do the whole journey unattended and end")
	f.BoolVar(&o.verbose, "v", false, "show the logs of the Hub and the service")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	var fault error
	switch {
	case (o.clientID == "") != (o.appURL == ""):
		fault = errors.New("-client-id and -app-url go together")
	case o.check && o.clientID != "":
		fault = errors.New("-check needs the simulator: a person has to approve at the real GitHub")
	}
	if fault != nil {
		fmt.Fprintln(f.Output(), fault)
	}
	return o, fault
}

// run starts everything, then either checks or waits for Ctrl-C, and ends
// everything it started.
func run(ctx context.Context, o options, out io.Writer) (err error) {
	var echo io.Writer
	if o.verbose {
		echo = os.Stderr
	}
	startCtx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	gh, err := startGitHub(startCtx, o, echo)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, gh.stop()) }()
	fmt.Fprintln(out, "Starting JupyterHub ...")
	hub, err := startHub(startCtx, o, gh, echo)
	if err != nil {
		if ctx.Err() != nil {
			return nil // Ctrl-C during the start
		}
		return err
	}
	defer func() { err = errors.Join(err, hub.Stop()) }()
	if o.check {
		return check(ctx, hub, gh, out)
	}
	welcome(out, hub, gh)
	select {
	case <-ctx.Done():
		fmt.Fprintln(out, "\nStopping ...")
		return nil
	case <-hub.Done():
		return fmt.Errorf("JupyterHub has ended by itself; its log ends with:\n%s", hub.Log.Tail(40))
	}
}

func startHub(ctx context.Context, o options, gh *github, echo io.Writer) (*hubtest.Hub, error) {
	service, err := program("ghscoped-service")
	if err != nil {
		return nil, err
	}
	env := map[string]string{"GHSCOPED_CLIENT_ID": gh.ClientID, "GHSCOPED_APP_URL": gh.AppURL}
	if gh.URL != "" {
		env["GHSCOPED_GITHUB_URL"] = gh.URL
	}
	return hubtest.Start(ctx, hubtest.Options{
		Version: o.hub, Port: port(o), ServiceCommand: []string{service, "serve"}, ServiceEnv: env, Echo: echo,
	})
}

// port is the usual one for a person if it is free, else 0, for any.
func port(o options) int {
	if o.check {
		return 0
	}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(usualPort)))
	if err != nil {
		return 0
	}
	_ = l.Close()
	return usualPort
}

// program is the path of something make has built.
func program(name string) (string, error) {
	root, err := hubtest.Root()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, "bin", name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("bin/%s is not built: use make demo, or run make build first", name)
	}
	return path, nil
}
