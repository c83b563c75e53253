package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ghscoped/ghscoped-service/internal/client"
)

// finding is what doctor says of one leg.
type finding struct {
	Leg     string `json:"leg"`
	State   string `json:"state"` // ok, note, broken or skipped
	Message string `json:"message"`
	Fix     string `json:"fix,omitempty"`
}

func newDoctor(in invocation) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "doctor",
		Short:             "Check everything between git and GitHub, and say how to fix what is broken",
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	asJSON := cmd.Flags().Bool("json", false, oneJSON)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return in.doctor(cmd.Context(), *asJSON) }
	return cmd
}

func (in invocation) doctor(ctx context.Context, asJSON bool) error {
	e := &examination{in: in}
	for _, leg := range []func(context.Context) finding{e.variables, e.hub, e.service, e.scope, e.connection, e.clocks, e.gitHub, e.git, e.helper} {
		limited, cancel := context.WithTimeout(ctx, askLimit)
		e.findings = append(e.findings, leg(limited))
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return e.report(asJSON)
}

// examination goes from leg to leg; one that stands on a broken one is skipped.
type examination struct {
	in       invocation
	findings []finding

	client   *client.Client // nil: the variables do not name a service
	answers  bool           // the service answers
	mayAsk   bool           // and takes this server's token
	asked    client.Connection
	askedErr error
}

func (e *examination) report(asJSON bool) error {
	broken := 0
	for _, f := range e.findings {
		if f.State == "broken" {
			broken++
		}
	}
	if asJSON {
		if err := printJSON(e.in, map[string]any{"ok": broken == 0, "legs": e.findings}); err != nil {
			return err
		}
	} else {
		e.print()
	}
	if broken > 0 {
		return &fault{exit: exitFailed, code: "broken", shown: true}
	}
	return nil
}

func (e *examination) print() {
	p := newPrinter(e.in.stdout, e.in.getenv)
	for _, f := range e.findings {
		mark := map[string]string{"ok": p.green("ok    "), "note": "note  ", "broken": p.red("BROKEN"), "skipped": "-     "}[f.State]
		p.line(mark + " " + p.bold(f.Leg) + ": " + printable(f.Message))
		if f.Fix != "" {
			p.line("         " + printable(f.Fix))
		}
	}
}

func ok(leg, message string) finding          { return finding{leg, "ok", message, ""} }
func note(leg, message, fix string) finding   { return finding{leg, "note", message, fix} }
func broken(leg, message, fix string) finding { return finding{leg, "broken", message, fix} }
func skipped(leg string) finding {
	return finding{leg, "skipped", "not checked, since it needs what is broken above", ""}
}

func ofError(leg string, err error) finding {
	f := asFault(err)
	return broken(leg, f.message, f.hint)
}

func (e *examination) variables(context.Context) finding {
	const leg = "variables"
	service, err := e.in.service()
	if err != nil {
		if e.in.alone() {
			return note(leg, "there is no service here; ghscoped login talks to GitHub itself", "")
		}
		return ofError(leg, err)
	}
	e.client = service
	place := client.Find(e.in.getenv)
	return ok(leg, "the service is at "+place.URL.String()+" (by "+place.Source+")")
}

func (e *examination) hub(ctx context.Context) finding {
	const leg = "Hub"
	api, token := e.in.getenv("JUPYTERHUB_API_URL"), e.in.getenv("JUPYTERHUB_API_TOKEN")
	if api == "" || token == "" {
		return skipped(leg)
	}
	status, body, err := e.fetch(ctx, strings.TrimSuffix(api, "/")+"/user", token)
	var user struct{ Name string }
	switch {
	case err != nil:
		return broken(leg, "the Hub does not answer at "+api, "Wait for the Hub to come back; if it goes on, tell the people who run it.")
	case status == http.StatusForbidden || status == http.StatusUnauthorized:
		return broken(leg, "the Hub does not know this server's token (any more)", "Restart your server from the Hub's home page.")
	case status != http.StatusOK || json.Unmarshal(body, &user) != nil:
		return broken(leg, "the Hub answers, but not as a Hub does", "Tell the people who run this Hub.")
	}
	return ok(leg, "this server belongs to "+user.Name)
}

func (e *examination) service(ctx context.Context) finding {
	const leg = "service"
	if e.client == nil {
		return skipped(leg)
	}
	place := client.Find(e.in.getenv)
	status, body, err := e.fetch(ctx, place.URL.String()+"api/openapi.yaml", "")
	switch {
	case err != nil, status >= http.StatusInternalServerError:
		return broken(leg, "it does not answer at "+place.URL.String(), "It may be restarting; if it goes on, tell the people who run this Hub.")
	case status != http.StatusOK || !strings.Contains(string(body), "ghscoped-service"):
		return broken(leg, "something else answers at "+place.URL.String(), "An admin must set GHSCOPED_URL to the address of the service “Connect GitHub”.")
	}
	e.answers = true
	return ok(leg, "it answers")
}

func (e *examination) scope(ctx context.Context) finding {
	const leg = "scope"
	if !e.answers {
		return skipped(leg)
	}
	e.asked, e.askedErr = e.client.Connection(ctx)
	if e.askedErr != nil && !client.Is(e.askedErr, client.CodeNotConnected) && !client.Is(e.askedErr, client.CodeServerNotChosen) {
		return ofError(leg, e.askedErr)
	}
	e.mayAsk = true
	return ok(leg, "the service takes this server's token")
}

func (e *examination) connection(context.Context) finding {
	const leg = "connection"
	switch {
	case !e.mayAsk:
		return skipped(leg)
	case client.Is(e.askedErr, client.CodeServerNotChosen):
		return note(leg, "you are connected to GitHub, but this server may not use that", "Allow it on the page “Connect GitHub”, or run ghscoped login.")
	case e.askedErr != nil:
		return note(leg, "you are not connected to GitHub", "Run ghscoped login.")
	case e.asked.Access != "ready" && e.asked.Access != "unknown":
		return note(leg, "connected as "+e.asked.Login+", but there is nothing you can push to ("+e.asked.Access+")", "Change that at "+e.asked.FixURL)
	}
	return ok(leg, "connected as "+e.asked.Login+", for "+lasts(e.asked.ExpiresAt.Sub(e.client.Now())))
}

func (e *examination) clocks(context.Context) finding {
	const leg = "clock"
	if !e.answers {
		return skipped(leg)
	}
	if skew := e.client.Skew(); skew != 0 {
		return note(leg, "this machine's clock is "+skew.Abs().Round(time.Second).String()+" off the service's", "Expiries are corrected for that; the people who run this machine should set its clock.")
	}
	return ok(leg, "it agrees with the service's")
}

func (e *examination) gitHub(ctx context.Context) finding {
	const leg = "GitHub"
	host, err := githubURL(e.in.getenv)
	if err != nil {
		return ofError(leg, err)
	}
	status, _, err := e.fetch(ctx, host.String()+"/", "")
	if err != nil || status >= http.StatusInternalServerError {
		return broken(leg, host.String()+" cannot be reached from here", "Check the network of this server: a proxy, or a rule that forbids it, may be in the way.")
	}
	return ok(leg, host.String()+" answers")
}

func (e *examination) git(context.Context) finding {
	const leg = "git"
	out, err := exec.Command("git", "version").Output()
	if err != nil {
		return broken(leg, "there is no git here", "Install git, or ask for it to be put into the image.")
	}
	return ok(leg, strings.TrimSpace(string(out)))
}

func (e *examination) helper(ctx context.Context) finding {
	const leg = "git's helper"
	host, err := githubURL(e.in.getenv)
	if err != nil {
		return skipped(leg)
	}
	if readsDelivered(host) {
		return note(leg, "git reads the token that was put into this server for "+host.String(), "Run ghscoped setup to have it ask ghscoped each time.")
	}
	if !asksUs(host) {
		return broken(leg, "git does not ask ghscoped for "+host.String(), "Run ghscoped setup.")
	}
	if e.mayAsk && !namesRepository(host) && e.client.WantsRepository(ctx, host.Scheme, host.Host) {
		return broken(leg, "the service gives a token for one repository at a time, and git does not name it", "Run ghscoped setup.")
	}
	return ok(leg, "git asks ghscoped for "+host.String())
}

// fetch reads an address; a redirect is an answer as any other.
func (e *examination) fetch(ctx context.Context, address, token string) (status int, body []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, nil, err
	}
	if token != "" {
		request.Header.Set("Authorization", "token "+token)
	}
	own := *e.in.http
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer, err := own.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	body, err = io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	return answer.StatusCode, body, err
}
