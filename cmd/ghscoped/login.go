package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/client"
)

// loginLimit is longer than any code is valid.
const loginLimit = time.Hour

// loginOptions are those of login and of its alias.
type loginOptions struct {
	clientID, appURL string
	json             bool
	// renew connects again although there is a connection.
	renew bool
	// repository, or its number, is the only one that the token is to reach.
	repository   string
	repositoryID int64
	// file is where the credential also goes, as git's "store" helper reads it.
	file string
}

func newLogin(in invocation) *cobra.Command {
	var o loginOptions
	cmd := &cobra.Command{
		Use:   "login",
		Short: "Connect to GitHub",
		Long: `login connects to GitHub: it shows a code, waits for your approval, and says
what you can push to. Where there is a connection already, it says so and asks
nobody; with --renew it makes a new one, whose token takes the place of the old
one, for another eight hours.`,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return in.login(cmd.Context(), o) },
	}
	set := cmd.Flags()
	set.StringVar(&o.clientID, "client-id", "", "client `ID` of a GitHub App: asks GitHub itself, without the service (default $GH_SCOPED_CREDS_CLIENT_ID)")
	set.StringVar(&o.appURL, "app-url", "", "public page `URL` of that App (default $GH_SCOPED_CREDS_APP_URL)")
	set.StringVar(&o.repository, "repository", "", "without the service: `OWNER/NAME` of the only repository that the token is to reach")
	set.Int64Var(&o.repositoryID, "repository-id", 0, "the same by its `NUMBER` at GitHub, for a private one")
	set.BoolVar(&o.renew, "renew", false, "connect again before the end, instead of saying what there is")
	set.BoolVar(&o.json, "json", false, "print one JSON object a line, for programs")
	return cmd
}

func (in invocation) login(ctx context.Context, o loginOptions) error {
	if o.appURL == "" {
		o.appURL = appURL(in.getenv)
	}
	if o.clientID != "" || in.alone() && clientID(in.getenv) != "" {
		return in.loginAlone(ctx, o)
	}
	if o.repository != "" || o.repositoryID != 0 {
		return &commandError{exit: exitUsage, code: "usage", message: "--repository is for a login without the service.",
			hint: "Use it with --client-id ID. What the service's tokens reach is the Hub's choice."}
	}
	service, err := in.service()
	if err != nil {
		return err
	}
	ui := in.loginUI(o)
	connection, err := readConnection(ctx, service)
	fresh := client.Is(err, apierror.CodeNotConnected) || client.Is(err, apierror.CodeServerNotChosen)
	if fresh = fresh || err == nil && o.renew; fresh {
		if err := loginByService(ctx, service, ui); err != nil {
			return err
		}
		connection, err = settled(ctx, service)
	}
	var kept error
	if err == nil {
		kept = in.keepFile(ctx, service, o.file)
	}
	switch {
	case fresh && ctx.Err() != nil:
		return connectedYet
	case err != nil:
		return err
	}
	return errors.Join(ui.connected(connection, service.Now()), kept)
}

// connectedYet: the interruption came too late to undo anything.
var connectedYet = &commandError{exit: exitInterrupted, code: "interrupted", message: "Interrupted, but you are connected to GitHub by now.",
	hint: "ghscoped logout ends that."}

// loginByService follows a flow. One that this call has begun is cancelled
// with it: nobody else may be waiting with its code.
func loginByService(ctx context.Context, service *client.Client, ui loginUI) error {
	starting, cancel := lingering(ctx)
	flow, created, err := startFlow(starting, service)
	cancel()
	if err == nil && ctx.Err() == nil {
		err = follow(ctx, service, flow, ui, loginLimit)
		if err == nil {
			return nil
		}
	}
	if ctx.Err() == nil || !created {
		return errors.Join(err, ctx.Err())
	}
	parting, cancel := context.WithTimeout(context.WithoutCancel(ctx), partingLimit)
	defer cancel()
	if service.CancelFlow(parting) != nil {
		return &commandError{exit: exitInterrupted, code: "interrupted", message: "Interrupted, but the service could not be told.",
			hint: "The code is valid until it expires; do not approve it."}
	}
	return ctx.Err()
}

func readConnection(ctx context.Context, service *client.Client) (client.Connection, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	return service.Connection(ctx)
}

// settled reads a new connection, once the service has looked at what it
// reaches; a service that takes longer is not waited for.
func settled(ctx context.Context, service *client.Client) (client.Connection, error) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(askLimit)
	for {
		connection, err := readConnection(ctx, service)
		if err != nil || connection.Access != "unknown" {
			return connection, err
		}
		select {
		case <-ctx.Done():
			return connection, ctx.Err()
		case <-limit:
			return connection, nil
		case <-tick.C:
		}
	}
}

// keepFile writes the file that the alias was asked for, and otherwise sees to
// it that git asks this program.
func (in invocation) keepFile(ctx context.Context, service *client.Client, file string) error {
	if file == "" {
		return in.setUpOnce(ctx)
	}
	host, err := githubURL(in.getenv)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	got, err := service.Credential(ctx, host.Scheme, host.Host, "")
	if err != nil {
		return err
	}
	return in.writeStore(file, host, got.Password, got.ExpiresAt)
}
