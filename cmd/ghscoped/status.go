package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/client"
	"github.com/ghscoped/ghscoped-service/internal/credential"
	"github.com/ghscoped/ghscoped-service/internal/githubapi"
)

// standing is what status says, and its JSON.
type standing struct {
	Connected bool `json:"connected"`
	// Source is who says so: the service, or the file of a login without it.
	Source     string             `json:"source"`
	Connection *client.Connection `json:"connection,omitempty"`
	// Flow is an attempt that waits for approval.
	Flow *attempt `json:"flow,omitempty"`

	now time.Time
}

type attempt struct {
	UserCode        string    `json:"user_code,omitempty"`
	VerificationURI string    `json:"verification_uri,omitempty"`
	ExpiresAt       time.Time `json:"expires_at"`
}

func newStatus(in invocation) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "status",
		Short:             "Say which account is connected, until when, and which repositories it reaches",
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	asJSON := cmd.Flags().Bool("json", false, oneJSON)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return in.status(cmd.Context(), *asJSON) }
	return cmd
}

func (in invocation) status(ctx context.Context, asJSON bool) error {
	read := in.standingByService
	if in.alone() {
		read = in.standingByFile
	}
	stands, err := read(ctx)
	if err != nil {
		return err
	}

	if asJSON {
		err = printJSON(in, stands)
	} else {
		stands.print(in)
	}
	if err == nil && !stands.Connected {
		return &commandError{exit: exitNotConnected, code: apierror.CodeNotConnected, shown: true}
	}
	return err
}

func (s standing) print(in invocation) {
	p := newPrinter(in.stdout, in.getenv)
	switch {
	case s.Connected:
		p.describe(*s.Connection, s.now)
	case s.Flow != nil && s.Flow.UserCode != "":
		p.line("Not connected yet: open " + printable(s.Flow.VerificationURI) + " and enter the code " + p.bold(printable(s.Flow.UserCode)) + ".")
	default:
		p.line("Not connected to GitHub. Connect with: ghscoped login")
	}
}

func (in invocation) standingByService(ctx context.Context) (standing, error) {
	service, err := in.service()
	if err != nil {
		return standing{}, err
	}
	connection, err := readConnection(ctx, service)
	s := standing{Source: "service", now: service.Now()}
	if err == nil {
		s.Connected, s.Connection = true, &connection
		return s, nil
	}
	if !client.Is(err, apierror.CodeNotConnected) {
		return s, err
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	flow, err := service.Flow(ctx)
	switch {
	case client.Is(err, apierror.CodeNoFlow):
		return s, nil
	case err != nil:
		return s, err
	case flow.Pending():
		s.Flow = &attempt{flow.UserCode, flow.VerificationURI, flow.ExpiresAt.UTC()}
	}
	return s, nil
}

// standingByFile asks GitHub about the token that a login without the service
// has left.
func (in invocation) standingByFile(ctx context.Context) (standing, error) {
	s := standing{Source: "file", now: in.clock()}
	kept, err := in.keptCredential()
	if err != nil || kept.Password.Empty() || !kept.ExpiresAt.After(s.now) {
		return s, err
	}
	gh, web, err := in.github(orNone(clientID(in.getenv)), appURL(in.getenv))
	if err != nil || !kept.For(web) {
		return s, err
	}
	connection, err := aboutToken(ctx, gh, kept)
	if code := codeOf(err); code == "token_dead" {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	s.Connected, s.Connection = true, &connection
	return s, nil
}

func aboutToken(ctx context.Context, gh *githubapi.Client, kept credential.Request) (client.Connection, error) {
	account, err := gh.Account(ctx, kept.Password)
	if err != nil {
		return client.Connection{}, err
	}
	connection, err := reach(ctx, gh, kept.Password, account)
	connection.ExpiresAt = kept.ExpiresAt.UTC()
	return connection, err
}

func codeOf(err error) string {
	if err == nil {
		return ""
	}
	return asCommandError(err).code
}

// orNone stands for a client id where none is needed.
func orNone(id string) string {
	if id == "" {
		return "none"
	}
	return id
}

// keptCredential reads what a login without the service has left; empty where there
// is nothing.
func (in invocation) keptCredential() (credential.Request, error) {
	file, err := os.Open(credentialFile(in.getenv))
	if errors.Is(err, fs.ErrNotExist) {
		host, err := githubURL(in.getenv)
		if err != nil {
			return credential.Request{}, err
		}
		return in.keptInStore(host)
	}
	if err != nil {
		return credential.Request{}, err
	}
	defer file.Close()
	return credential.Parse(file)
}
