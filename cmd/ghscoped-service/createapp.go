package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ghscoped/ghscoped-service/internal/createapp"
	"github.com/ghscoped/ghscoped-service/internal/githubapi"
	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/webaddr"
)

// printedRedirect is where the browser ends up after a printed form: a port on
// which nothing listens, so that the code goes no further than its address bar.
const printedRedirect = "http://127.0.0.1:9/created"

func newCreateApp(in invocation) *cobra.Command {
	var r registration
	cmd := &cobra.Command{
		Use:   "create-app --hub URL",
		Short: "Register the GitHub App, by a form that it serves to your browser",
		Long: `Registers the GitHub App by a form that your browser sends to GitHub, and puts
the App's client secret and private key into files of mode 0600 in a folder.
The settings for the service go to standard output, what is left to do to
standard error.

Exit codes: 0 done; 1 GitHub or the files; 2 the command line.`,
		Example: `  ghscoped-service create-app --hub https://hub.example.org/
  ghscoped-service create-app --print --hub https://hub.example.org/ >create-app.html
  ghscoped-service create-app --paste --hub https://hub.example.org/`,
		Args: atMost(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return in.createApp(cmd.Context(), r) },
	}
	flags := cmd.Flags()
	flags.StringVar(&r.hub, "hub", "", "the Hub's public `address`, as in https://hub.example.org/")
	flags.StringVar(&r.app.Name, "name", "", "what people read when they approve (default \"Connect GitHub at HOST\")")
	flags.StringVar(&r.app.Organisation, "org", "", "the `organisation` that will own the App; else you")
	flags.BoolVar(&r.app.Private, "private", false, "can be installed on its owner's account only")
	flags.StringArrayVar(&r.permissions, "permission", nil, "one more than contents:write, such as workflows:write (`name:level`)")
	flags.StringVar(&r.app.Service, "service", "connect-github", "the service's `name` at the Hub")
	flags.StringVar(&r.web, "github-url", "https://github.com", "a GitHub of your own (`address`)")
	flags.StringVar(&r.folder, "out", ".", "where to put the two files (`folder`)")
	flags.StringVar(&r.listen, "listen", "127.0.0.1:0", "where to show the form, on loopback (`host:port`)")
	flags.BoolVar(&r.print, "print", false, "print the form instead, for a browser on another machine; the code is\nthen in its address bar")
	flags.BoolVar(&r.paste, "paste", false, "read that address, or the code in it, from standard input")
	return cmd
}

// createApp registers the App.
func (in invocation) createApp(ctx context.Context, r registration) error {
	if err := r.complete(); err != nil {
		return err
	}
	if r.print {
		return r.app.WriteForm(in.stdout, printedRedirect)
	}
	if err := in.register(ctx, r); err != nil {
		return &failure{exitFault, fmt.Errorf("create-app: %w", err)}
	}
	return nil
}

// registration is what the command line says.
type registration struct {
	hub, web    string
	permissions []string
	app         createapp.Options
	folder      string
	listen      string
	print       bool
	paste       bool
}

func (r *registration) complete() error {
	var err error
	if r.app.Hub, err = webAddress("--hub", r.hub); err != nil {
		return err
	}
	if r.app.GitHub, err = webAddress("--github-url", r.web); err != nil {
		return err
	}
	r.app.Hub = r.app.Hub.JoinPath("/")
	if r.app.Name == "" {
		r.app.Name = "Connect GitHub at " + r.app.Hub.Hostname()
	}
	const longest = 34 // "Registering a GitHub App" in GitHub's documentation
	if runes := []rune(r.app.Name); len(runes) > longest {
		r.app.Name = strings.TrimSpace(string(runes[:longest]))
	}
	asked, err := parseRequest(nil, r.permissions)
	r.app.Permissions = asked.Permissions
	return err
}

func webAddress(flag, text string) (*url.URL, error) {
	address, err := url.Parse(text)
	if err != nil || address.Host == "" || (address.Scheme != "https" && address.Scheme != "http") {
		return nil, errors.New(flag + " must be an address such as https://host.example.org/")
	}
	return address, nil
}

// register gets a code, trades it, and keeps what comes of it. The files are
// made first: an App whose secrets cannot be kept would have to be deleted.
func (in invocation) register(ctx context.Context, r registration) error {
	ctx, cancel := context.WithTimeout(ctx, createapp.Life)
	defer cancel()
	files, err := makeFiles(r.folder, "client-secret", "app-private-key.pem")
	if err != nil {
		return err
	}
	defer files.removeUnwritten()
	code, err := in.code(ctx, r)
	if err != nil {
		return err
	}
	app, err := githubapi.ConvertManifest(ctx, &http.Client{Timeout: 30 * time.Second}, webaddr.GitHubAPI(r.app.GitHub), code)
	if err != nil {
		return err
	}
	if err := files.write(app.ClientSecret, app.PrivateKey); err != nil {
		return fmt.Errorf("%w; the App is there: make a new secret and key at %s", err, r.app.SettingsURL(app.Slug))
	}
	return in.tellRegistered(r, app, files.paths)
}

// code is what GitHub gave to the browser. It is not taken from the command
// line, which every user of the machine can read.
func (in invocation) code(ctx context.Context, r registration) (secret.String, error) {
	if r.paste {
		line, err := bufio.NewReader(in.stdin).ReadString('\n')
		line = strings.TrimSpace(line)
		if line == "" {
			return secret.String{}, fmt.Errorf("no code on standard input: %w", err)
		}
		if address, err := url.Parse(line); err == nil && address.Query().Get("code") != "" {
			line = address.Query().Get("code")
		}
		return secret.New(line), nil
	}
	server, err := createapp.Listen(r.app, r.listen)
	if err != nil {
		return secret.String{}, err
	}
	fmt.Fprintf(in.stderr, "Open this in your browser: %s\n", server.URL())
	return server.Code(ctx)
}

func (in invocation) tellRegistered(r registration, app githubapi.Registered, paths []string) error {
	page := app.PageURL
	if page == "" {
		page = r.app.GitHub.JoinPath("apps", app.Slug).String()
	}
	fmt.Fprintf(in.stderr, `
The App is registered. Three things are left, since a manifest cannot say them:

1. Open %s
   and tick "Enable Device Flow", then save. Without it nobody gets a code.
2. There, under Optional features, leave "User-to-server token expiration" on,
   as it is for new Apps. Tokens that never expire are refused.
3. Give the service the settings below, and run: ghscoped-service doctor

%s holds the key for bot tokens; without a bot policy it is not needed:
delete it, here and at GitHub.

`, r.app.SettingsURL(app.Slug), paths[1])
	lines := []string{"GHSCOPED_CLIENT_ID=" + app.ClientID, "GHSCOPED_APP_URL=" + page, "GHSCOPED_CLIENT_SECRET_FILE=" + paths[0]}
	if r.app.GitHub.Host != "github.com" {
		lines = append(lines, "GHSCOPED_GITHUB_URL="+r.app.GitHub.String())
	}
	_, err := fmt.Fprintln(in.stdout, strings.Join(lines, "\n"))
	return err
}

// secretFiles are new files of mode 0600 that are kept only once written.
type secretFiles struct {
	paths   []string
	open    []*os.File
	written bool
}

func makeFiles(folder string, names ...string) (*secretFiles, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	made := &secretFiles{}
	for _, name := range names {
		file, err := os.OpenFile(filepath.Join(folder, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			made.removeUnwritten()
			return nil, err
		}
		made.paths, made.open = append(made.paths, file.Name()), append(made.open, file)
	}
	return made, nil
}

func (f *secretFiles) write(values ...secret.String) error {
	var errs []error
	for i, value := range values {
		_, err := f.open[i].WriteString(strings.TrimSpace(value.Reveal()) + "\n")
		errs = append(errs, err, f.open[i].Sync())
	}
	f.written = errors.Join(errs...) == nil
	return errors.Join(errs...)
}

func (f *secretFiles) removeUnwritten() {
	for i, file := range f.open {
		_ = file.Close()
		if !f.written {
			_ = os.Remove(f.paths[i])
		}
	}
}
