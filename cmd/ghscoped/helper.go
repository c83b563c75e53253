package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/client"
	"github.com/ghscoped/ghscoped-service/internal/credential"
)

// newGitHelper explains what [invocation.answerGit] is for; run calls that.
func newGitHelper() *cobra.Command {
	return &cobra.Command{
		Use: helperName + " {get|store|erase}",

		DisableFlagsInUseLine: true,

		Short: "Be git's credential helper; git calls it, people need not",
		RunE: func(*cobra.Command, []string) error {
			return &commandError{exit: exitUsage, code: "usage", message: "git names an operation: get, store or erase.",
				hint: "People want ghscoped login or ghscoped setup."}
		},
	}
}

// answerGit answers git (gitcredentials(7)). Whatever happens the program exits
// with 0: git then continues as if there were no helper, unless it was told to quit.
func (in invocation) answerGit(ctx context.Context, operation string) {
	trial := in.getenv(trialVariable)
	switch {
	case trial != "":
		in.reportOnly(ctx, in.answerTrial(operation, trial))
	case operation == "get":
		in.reportOnly(ctx, in.get(ctx))
	case operation == "erase":
		in.reportOnly(ctx, in.erase(ctx))
	default: // store: there is nothing to keep. Unknown ones: as the manual wants
		_, _ = io.Copy(io.Discard, in.stdin)
	}
}

// reportOnly tells people of an error and lets git continue.
func (in invocation) reportOnly(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		asCommandError(err).show(in, false)
	}
}

// asked reads git's question; ok is false where it is none of ours: another
// host, a connection that others can read, a line that is not one. Then
// nothing is said either.
func (in invocation) asked() (request credential.Request, ok bool, err error) {
	request, err = credential.Parse(in.stdin)
	if err != nil {
		return request, false, nil
	}
	host, err := githubURL(in.getenv)
	if err != nil {
		return request, false, err
	}
	return request, request.For(host) && in.onAHub(), nil
}

// get hands the credential to git, first waiting for the user to connect where
// somebody is there to do so.
func (in invocation) get(ctx context.Context) error {
	request, ok, err := in.asked()
	if !ok || err != nil {
		return err
	}
	service, err := in.service()
	if err != nil {
		return err
	}
	got, err := askCredential(ctx, service, request)
	if client.Is(err, apierror.CodeNotConnected) {
		if connected, err := in.connectForGit(ctx, service); !connected || err != nil {
			return err
		}
		got, err = askCredential(ctx, service, request)
	}
	switch {
	case client.Is(err, apierror.CodeOtherHost):
		return nil
	case client.Is(err, apierror.CodeServerNotChosen):
		return notChosen(in.getenv)
	}
	if err != nil {
		return err
	}
	return credential.Answer{Username: got.Username, Password: got.Password, ExpiresAt: got.ExpiresAt}.Write(in.stdout, request)
}

func askCredential(ctx context.Context, service *client.Client, request credential.Request) (client.Credential, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	return service.Credential(ctx, request.Protocol, request.Host, request.Path)
}

func notConnected(getenv func(string) string) *commandError {
	hint := "Choose “Connect GitHub” in the Hub's Services menu"
	if page := client.Page(getenv); page != "" {
		hint = "Open " + page
	}
	return &commandError{exit: exitNotConnected, code: apierror.CodeNotConnected, message: "You are not connected to GitHub.",
		hint: hint + ", or run ghscoped login; then do this again."}
}

// notChosen: the connection is for other servers. Here it would take an approval,
// and git's question is no time to start one unasked.
func notChosen(getenv func(string) string) *commandError {
	where := "on the page “Connect GitHub”"
	if page := client.Page(getenv); page != "" {
		where = "at " + page
	}
	return &commandError{exit: exitNotConnected, code: apierror.CodeServerNotChosen,
		message: "You are connected to GitHub, but have not allowed this server to use that.",
		hint:    "Allow it " + where + ", or run ghscoped login; then do this again."}
}

// erase: GitHub has refused the credential. It stays where it is, but the
// service is asked about the connection, whereupon it looks at the token and
// drops one that is dead. One for a single repository is replaced.
func (in invocation) erase(ctx context.Context) error {
	request, ok, err := in.asked()
	if !ok || err != nil {
		return err
	}
	service, err := in.service()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	if _, err := service.Connection(ctx); err != nil && !client.Is(err, apierror.CodeNotConnected) && !client.Is(err, apierror.CodeServerNotChosen) {
		return err
	}
	if request.Path == "" || request.Password.Empty() {
		return nil
	}
	return service.Refused(ctx, request.Password)
}
