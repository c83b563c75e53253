package main

import (
	"context"
	"fmt"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/client"
)

// loginUI is what login tells while it waits, and at its end.
type loginUI interface {
	announcer
	connected(connection client.Connection, now time.Time) error
}

func (in invocation) loginUI(o loginOptions) loginUI {
	if o.json {
		return &forPrograms{in}
	}
	return &loginForPeople{forPeople{printer: newPrinter(in.stdout, in.getenv), page: client.Page(in.getenv)}, o.appURL}
}

// forPrograms writes one JSON object for each event.
type forPrograms struct{ in invocation }

func (p *forPrograms) announce(flow client.Flow) {
	_ = printJSON(p.in, map[string]any{"event": "code", "user_code": flow.UserCode, "verification_uri": flow.VerificationURI,
		"expires_at": flow.ExpiresAt.UTC(), "page": client.Page(p.in.getenv)})
}

func (p *forPrograms) waiting(context.Context, func() time.Duration) func() { return func() {} }

func (p *forPrograms) connected(connection client.Connection, _ time.Time) error {
	return printJSON(p.in, struct {
		Event string `json:"event"`
		client.Connection
	}{"connected", connection})
}

type loginForPeople struct {
	forPeople
	appURL string
}

func (p *loginForPeople) connected(connection client.Connection, now time.Time) error {
	p.describe(connection, now)
	if connection.InstallationsURL == "" && p.appURL != "" {
		p.line("Visit " + p.appURL + " to choose the repositories you can push to from here.")
	}
	p.line("Use https:// addresses to clone and push, not ssh ones.")
	return nil
}

// describe says what a connection is good for.
func (p printer) describe(c client.Connection, now time.Time) {
	p.line(p.green("Connected") + " to GitHub as " + p.bold(printable(c.Login)) + ", for " + lasts(c.ExpiresAt.Sub(now)) + ".")
	var pushable []string
	for _, repository := range c.Repositories {
		if repository.Push {
			pushable = append(pushable, printable(repository.FullName))
		}
	}
	if len(pushable) > 0 {
		p.line("You can push to:")
		const most = 20
		for _, name := range pushable[:min(len(pushable), most)] {
			p.line("  " + name)
		}
		if len(pushable) > most {
			p.line(fmt.Sprintf("  and %d more", len(pushable)-most))
		}
	}
	p.missing(c)
}

// missing says why a push would fail, and where that is changed.
func (p printer) missing(c client.Connection) {
	for _, m := range c.Missing {
		if text := missingAccount(m); text != "" {
			p.line(p.red(text))
			if m.FixURL != "" {
				p.line("  " + printable(m.FixURL))
			}
		}
	}
	text := map[string]string{
		"not_installed": "You cannot push anywhere yet: the GitHub App is not installed on an account of yours, or an owner of the organisation that you asked has not agreed yet.",
		"suspended":     "You cannot push anywhere: the GitHub App is suspended there.",
		"no_repository": "You cannot push anywhere yet: no repository is chosen for the GitHub App.",
		"read_only":     "You can read but not push: the GitHub App or you may not write to the chosen repositories.",
		"archived":      "You can read but not push: the chosen repositories are archived.",
	}[c.Access]
	switch {
	case text != "":
		p.line(p.red(text))
		if c.FixURL != "" {
			p.line("  Change that at " + printable(c.FixURL))
		}
	case c.InstallationsURL != "":
		p.line("Choose more repositories at " + printable(c.InstallationsURL))
	}
}

// missingAccount says what one account wants before it can be reached; empty where
// this program does not know the reason.
func missingAccount(m client.Missing) string {
	account := printable(m.Account)
	if account == "" {
		account = "An organisation that GitHub does not name"
	}
	text := map[string]string{
		"single_sign_on": " wants a single sign-on (SAML): sign in there, then run ghscoped logout and ghscoped login.",
		"requested":      ": you have asked for the GitHub App, and one of its owners has to agree.",
		"refused":        " does not show its repositories, perhaps because it allows some addresses only. Ask one of its owners.",
		"suspended":      ": the GitHub App is suspended there.",
	}[m.Access]
	if text == "" {
		return ""
	}
	return account + text
}
