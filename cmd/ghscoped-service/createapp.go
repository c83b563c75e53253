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

	"github.com/ghscoped/ghscoped-service/internal/createapp"
	"github.com/ghscoped/ghscoped-service/internal/githubapi"
	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/webaddr"
)

const createAppUsage = `Usage: ghscoped-service create-app -hub URL [-name NAME] [-org ORGANISATION] [-private]
           [-permission NAME:LEVEL]… [-service NAME] [-github-url URL] [-github-api-url URL]
           [-out FOLDER] [-listen HOST:PORT]
       ghscoped-service create-app -print -hub URL …  >create-app.html
       ghscoped-service create-app -paste -hub URL …

Registers the GitHub App by a form that your browser sends to GitHub, and puts
the App's client secret and private key into files of mode 0600 in FOLDER. The
settings for the service go to standard output, what is left to do to standard
error.

  -hub             the Hub's public address, as in https://hub.example.org/
  -name            what people read when they approve (Connect GitHub at HOST)
  -org             the organisation that shall own the App; else you
  -private         can be installed on its owner's account only
  -permission      one more than contents:write, such as workflows:write
  -service         the service's name at the Hub (connect-github)
  -github-url      a GitHub of your own (https://github.com)
  -github-api-url  its API, where that does not follow from it
  -out             where to put the two files (.)
  -listen          where to show the form, on loopback (127.0.0.1:0)
  -print           prints the form instead, for a browser on another machine;
                   the code is then in its address bar
  -paste           reads that address, or the code in it, from standard input

Exit codes: 0 done; 1 GitHub or the files; 2 the command line.
`

// printedRedirect is where the browser ends up after a printed form: a port on
// which nothing listens, so that the code goes no further than its address bar.
const printedRedirect = "http://127.0.0.1:9/created"

// createApp registers the App.
func createApp(ctx context.Context, in invocation) int {
	return in.report("create-app", createAppUsage, func(in invocation) (int, error) {
		wanted, err := parseCreateApp(in.args)
		if err != nil {
			return exitUsage, err
		}
		if wanted.print {
			return exitOK, wanted.app.WriteForm(in.stdout, printedRedirect)
		}
		if err := in.register(ctx, wanted); err != nil {
			fmt.Fprintf(in.stderr, "ghscoped-service: create-app: %s\n", secret.Scrub(err.Error()))
			return exitFault, nil
		}
		return exitOK, nil
	})
}

// registration is what the command line says.
type registration struct {
	app    createapp.Options
	api    *url.URL
	folder string
	listen string
	print  bool
	paste  bool
}

func parseCreateApp(args []string) (registration, error) {
	var r registration
	var hub, web, api string
	var permissions list
	set := quietFlags("create-app")
	set.StringVar(&hub, "hub", "", "")
	set.StringVar(&r.app.Name, "name", "", "")
	set.StringVar(&r.app.Organisation, "org", "", "")
	set.BoolVar(&r.app.Private, "private", false, "")
	set.Var(&permissions, "permission", "")
	set.StringVar(&r.app.Service, "service", "connect-github", "")
	set.StringVar(&web, "github-url", "https://github.com", "")
	set.StringVar(&api, "github-api-url", "", "")
	set.StringVar(&r.folder, "out", ".", "")
	set.StringVar(&r.listen, "listen", "127.0.0.1:0", "")
	set.BoolVar(&r.print, "print", false, "")
	set.BoolVar(&r.paste, "paste", false, "")
	if err := set.Parse(args); err != nil {
		return r, err
	}
	if set.NArg() > 0 {
		return r, fmt.Errorf("there is no use for %q", set.Arg(0))
	}
	return r, r.complete(hub, web, api, permissions)
}

func (r *registration) complete(hub, web, api string, permissions []string) error {
	var err error
	if r.app.Hub, err = webAddress("-hub", hub); err != nil {
		return err
	}
	if r.app.GitHub, err = webAddress("-github-url", web); err != nil {
		return err
	}
	r.api = webaddr.GitHubAPI(r.app.GitHub)
	if api != "" {
		if r.api, err = webAddress("-github-api-url", api); err != nil {
			return err
		}
	}
	r.app.Hub = r.app.Hub.JoinPath("/")
	if r.app.Name == "" {
		r.app.Name = "Connect GitHub at " + r.app.Hub.Hostname()
	}
	const longest = 34 // "Registering a GitHub App" in GitHub's documentation
	if runes := []rune(r.app.Name); len(runes) > longest {
		r.app.Name = strings.TrimSpace(string(runes[:longest]))
	}
	asked, err := parseRequest(nil, permissions)
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
	app, err := githubapi.ConvertManifest(ctx, &http.Client{Timeout: 30 * time.Second}, r.api, code)
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
