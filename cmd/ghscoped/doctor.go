package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/check"
	"github.com/ghscoped/ghscoped-service/internal/client"
)

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
	var results []check.Result
	for _, c := range e.checks() {
		limited, cancel := context.WithTimeout(ctx, askLimit)
		result := c.run(limited)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		result.Name = c.name
		results = append(results, result)
	}
	return in.report(check.NewReport(results), asJSON)
}

func (in invocation) report(report check.Report, asJSON bool) error {
	if asJSON {
		if err := printJSON(in, report); err != nil {
			return err
		}
	} else {
		p := newPrinter(in.stdout, in.getenv)
		for _, result := range report.Checks {
			if err := result.WriteText(in.stdout, p.hues); err != nil {
				return err
			}
		}
		if slices.ContainsFunc(report.Checks, func(r check.Result) bool { return r.State == check.Fail || r.State == check.Warn }) {
			p.line("What git's own errors mean: " + troubleshooting)
		}
	}
	if !report.OK {
		return &commandError{exit: exitFailed, code: "broken", shown: true}
	}
	return nil
}

// troubleshooting is the page of errors and what to do.
const troubleshooting = "https://github.com/ghscoped/ghscoped-service/blob/main/docs/troubleshooting.md"

// examination goes from check to check; one that needs what a failed one would
// have found is skipped.
type examination struct {
	in invocation

	client   *client.Client // nil: the variables do not name a service
	answers  bool           // the service answers
	mayAsk   bool           // and takes this server's token
	asked    client.Connection
	askedErr error
}

// checker makes one check.
type checker struct {
	name string
	run  func(context.Context) check.Result
}

func (e *examination) checks() []checker {
	return []checker{
		{"variables", e.variables}, {"hub", e.hub}, {"service", e.service}, {"scope", e.scope}, {"connection", e.connection},
		{"clock", e.clocks}, {"github", e.gitHub}, {"git", e.git}, {"git-helper", e.helper}, {"repository", e.repository},
	}
}

// skipped is a check that needs what a failed one would have found.
func skipped() check.Result {
	return check.Skipped("not checked, since it needs what has failed above")
}

func ofError(err error) check.Result {
	f := asCommandError(err)
	return check.Failed(f.message, f.hint)
}

func (e *examination) variables(context.Context) check.Result {
	service, err := e.in.service()
	if err != nil {
		if e.in.alone() {
			return check.Warned("there is no service here; ghscoped login talks to GitHub itself", "")
		}
		return ofError(err)
	}
	e.client = service
	place := client.Find(e.in.getenv)
	return check.Passed("the service is at " + place.URL.String() + " (by " + place.Source + ")")
}

func (e *examination) hub(ctx context.Context) check.Result {
	api, token := e.in.getenv("JUPYTERHUB_API_URL"), e.in.getenv("JUPYTERHUB_API_TOKEN")
	if api == "" || token == "" {
		return skipped()
	}
	status, body, err := e.fetch(ctx, strings.TrimSuffix(api, "/")+"/user", token)
	var user struct{ Name string }
	switch {
	case err != nil:
		return check.Failed("the Hub does not answer at "+api, "Wait for the Hub to come back; if this keeps happening, contact your Hub's administrators.")
	case status == http.StatusForbidden || status == http.StatusUnauthorized:
		return check.Failed("the Hub does not know this server's token (any more)", client.BadTokenHint)
	case status != http.StatusOK || json.Unmarshal(body, &user) != nil:
		return check.Failed("the Hub answers, but not as a Hub does", "Contact your Hub's administrators.")
	}
	return check.Passed("this server belongs to " + user.Name)
}

func (e *examination) service(ctx context.Context) check.Result {
	if e.client == nil {
		return skipped()
	}
	place := client.Find(e.in.getenv)
	status, body, err := e.fetch(ctx, place.URL.String()+"api/openapi.yaml", "")
	switch {
	case err != nil, status >= http.StatusInternalServerError:
		return check.Failed("it does not answer at "+place.URL.String(), "It may be restarting; if this keeps happening, contact your Hub's administrators.")
	case status != http.StatusOK || !strings.Contains(string(body), "ghscoped-service"):
		return check.Failed("something else answers at "+place.URL.String(), "An admin must set GHSCOPED_URL to the address of the service “Connect GitHub”.")
	}
	e.answers = true
	return check.Passed("it answers")
}

func (e *examination) scope(ctx context.Context) check.Result {
	if !e.answers {
		return skipped()
	}
	e.asked, e.askedErr = e.client.Connection(ctx)
	if e.askedErr != nil && !client.Is(e.askedErr, apierror.CodeNotConnected) && !client.Is(e.askedErr, apierror.CodeServerNotChosen) {
		return ofError(e.askedErr)
	}
	e.mayAsk = true
	return check.Passed("the service takes this server's token")
}

func (e *examination) connection(context.Context) check.Result {
	switch {
	case !e.mayAsk:
		return skipped()
	case client.Is(e.askedErr, apierror.CodeServerNotChosen):
		return check.Warned("you are connected to GitHub, but this server may not use that", "Allow it on the page “Connect GitHub”, or run ghscoped login.")
	case e.askedErr != nil:
		return check.Warned("you are not connected to GitHub", "Run ghscoped login.")
	case e.asked.Access != "ready" && e.asked.Access != "unknown" && len(e.asked.Missing) == 0:
		return check.Warned("connected as "+e.asked.Login+", but there is nothing you can push to ("+e.asked.Access+")", "Change that at "+e.asked.FixURL)
	}
	for _, m := range e.asked.Missing {
		if text := missingAccount(m); text != "" {
			return check.Warned("connected as "+e.asked.Login+", but not to all of your accounts: "+text, m.FixURL)
		}
	}
	return check.Passed("connected as " + e.asked.Login + ", for " + lasts(e.asked.ExpiresAt.Sub(e.client.Now())))
}

func (e *examination) clocks(context.Context) check.Result {
	if !e.answers {
		return skipped()
	}
	if skew := e.client.Skew(); skew != 0 {
		return check.Warned("this machine's clock is "+skew.Abs().Round(time.Second).String()+" off the service's", "Expiries are corrected for that; an administrator of this machine should set its clock.")
	}
	return check.Passed("it agrees with the service's")
}

func (e *examination) gitHub(ctx context.Context) check.Result {
	host, err := githubURL(e.in.getenv)
	if err != nil {
		return ofError(err)
	}
	status, _, err := e.fetch(ctx, host.String()+"/", "")
	if err != nil || status >= http.StatusInternalServerError {
		return check.Failed(host.String()+" cannot be reached from here", "Check the network of this server: a proxy, or a rule that forbids it, may be in the way.")
	}
	return check.Passed(host.String() + " answers")
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
