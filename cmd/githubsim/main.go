// Command githubsim runs the GitHub simulator for the demo and for tests in
// other languages. It prints its addresses as one line of JSON and forgets
// everything when it ends.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
)

func main() {
	if err := run(); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "githubsim:", err)
		os.Exit(2)
	}
}

func run() (err error) {
	o, caFile, err := options(os.Args[1:])
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	sim := githubsim.New(o)
	if err := sim.Start(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sim.Close()) }()
	if caFile != "" {
		if err := os.WriteFile(caFile, sim.CAPEM(), 0o644); err != nil {
			return err
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(sim.Info()); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// options reads the flags. A -world file, of Accounts, Repositories and Apps,
// replaces the default world; the App flags then do not count.
func options(args []string) (o githubsim.Options, caFile string, err error) {
	app := githubsim.App{Name: "GHScoped Demo"}
	var key, world string
	var interval time.Duration
	f := flag.NewFlagSet("githubsim", flag.ContinueOnError)
	f.StringVar(&o.Listen, "listen", "127.0.0.1:0", "public address: pages, API under /api/v3, git")
	f.StringVar(&o.AdminListen, "admin-listen", "127.0.0.1:0", "management address; keep it private")
	f.StringVar(&o.APIListen, "api-listen", "", "a separate address for the API, without /api/v3")
	f.BoolVar(&o.TLS, "tls", false, "serve the public addresses over https")
	f.StringVar(&caFile, "ca-file", "", "with -tls: write the CA's certificate to this file")
	f.DurationVar(&interval, "interval", 5*time.Second, "polling interval of the device flow")
	f.DurationVar(&o.Latency, "latency", 0, "the longest that an answer takes; GitHub's take up to 400ms")
	f.StringVar(&app.ClientID, "client-id", githubsim.DefaultClientID, "client id of the App")
	f.StringVar(&app.Slug, "app-slug", githubsim.DefaultSlug, "slug of the App")
	f.StringVar(&app.ClientSecret, "client-secret", "", "client secret of the App; enables the web flow")
	f.Func("callback-url", "callback address of the App (repeatable)", func(v string) error {
		app.CallbackURLs = append(app.CallbackURLs, v)
		return nil
	})
	f.StringVar(&key, "app-public-key", "", "PEM file with the App's RSA public key")
	f.BoolVar(&app.NoDeviceFlow, "no-device-flow", false, "switch the App's device flow off")
	f.BoolVar(&app.NoTokenExpiry, "no-token-expiry", false, "switch the App's token expiry off")
	f.StringVar(&world, "world", "", "JSON file with Accounts, Repositories and Apps")
	if err := f.Parse(args); err != nil {
		return o, "", err
	}
	o.Interval, o.Apps = interval, []githubsim.App{app}
	if key != "" {
		pem, err := os.ReadFile(key)
		if err != nil {
			return o, "", err
		}
		o.Apps[0].PublicKeyPEM = string(pem)
	}
	err = readWorld(world, &o)
	return o, caFile, err
}

func readWorld(path string, o *githubsim.Options) error {
	if path == "" {
		return nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var w struct {
		Accounts     []githubsim.Account
		Repositories []githubsim.Repository
		Apps         []githubsim.App
	}
	if err := json.Unmarshal(b, &w); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	o.Accounts, o.Repositories = w.Accounts, w.Repositories
	if w.Apps != nil {
		o.Apps = w.Apps
	}
	return nil
}
