package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/client"
	"github.com/ghscoped/ghscoped-service/internal/deliver"
)

func newLogout(in invocation) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "logout",
		Short:             "Revoke the token and end the connection",
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	asJSON := cmd.Flags().Bool("json", false, oneJSON)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return in.logout(cmd.Context(), *asJSON) }
	return cmd
}

func (in invocation) logout(ctx context.Context, asJSON bool) error {
	end := in.logoutAtService
	if in.alone() {
		end = in.logoutAlone
	}
	err := end(ctx)
	if err == nil || errors.Is(err, alreadyOut) {
		err = errors.Join(err, in.forget(ctx))
	}
	if err != nil {
		return err
	}

	if asJSON {
		return printJSON(in, map[string]bool{"connected": false})
	}
	newPrinter(in.stdout, in.getenv).line("Disconnected from GitHub; the token is being revoked.")
	return nil
}

func (in invocation) logoutAtService(ctx context.Context) error {
	service, err := in.service()
	if err != nil {
		return err
	}
	asking, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	err = service.Disconnect(asking)
	switch {
	case client.Is(err, apierror.CodeNotConnected):
		return alreadyOut
	case err != nil && ctx.Err() != nil:
		return &commandError{exit: exitInterrupted, code: "interrupted", message: "Interrupted before the service has answered.",
			hint: "ghscoped status says whether you are still connected."}
	}
	return err
}

var alreadyOut = &commandError{exit: exitNotConnected, code: apierror.CodeNotConnected,
	message: "You are not connected to GitHub; there is nothing to end."}

// logoutAlone revokes the token in the file and takes out what login put in.
// The files go even where GitHub cannot be reached: then the error says so.
func (in invocation) logoutAlone(ctx context.Context) error {
	kept, err := in.keptCredential()
	if err != nil {
		return err
	}
	if kept.Password.Empty() {
		return alreadyOut
	}
	gh, web, err := in.github(orNone(clientID(in.getenv)), appURL(in.getenv))
	if err != nil {
		return err
	}
	var revoked error
	if kept.For(web) {
		revoked = gh.Revoke(ctx, kept.Password)
	}
	if revoked != nil && ctx.Err() != nil { // all stays, so that it can be done again
		return ctx.Err()
	}
	deliverer, err := deliver.New(deliver.Options{HTTP: in.http, Host: web})
	if err != nil {
		return err
	}
	return errors.Join(deliverer.RemoveHere(context.WithoutCancel(ctx)), notRevoked(revoked))
}

// notRevoked says that a token stays valid, although nothing is left of it here.
func notRevoked(err error) error {
	if err == nil {
		return nil
	}
	return &commandError{exit: exitUnreachable, code: "not_revoked", message: "The token was removed from this machine, but GitHub could not be told to revoke it.",
		hint: "It expires automatically; to end it now, revoke the App's access in your GitHub settings, under Applications."}
}
