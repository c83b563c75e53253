package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/ghscoped/ghscoped-service/internal/credential"
)

// botHelperName is git's credential helper inside bot exec.
const botHelperName = "git-credential-bot"

// newBotHelper explains what [invocation.answerGitForBot] is for.
func newBotHelper() *cobra.Command {
	return &cobra.Command{
		Use: botHelperName + " {get|store|erase}",

		DisableFlagsInUseLine: true,

		Short:  "Be git's credential helper inside bot exec",
		Hidden: true,
		RunE: func(*cobra.Command, []string) error {
			return &commandError{exit: exitUsage, code: "usage", message: "This is for git inside of ghscoped bot exec.", hint: "ghscoped bot exec --help says how to call that."}
		},
	}
}

// answerGitForBot answers git with the job's token, a new one when the old nears
// its end. As [invocation.answerGit], it never stands in git's way.
func (in invocation) answerGitForBot(ctx context.Context, operation string) {
	switch operation {
	case "get":
		in.reportOnly(ctx, in.getForBot(ctx))
	case "erase":
		in.reportOnly(ctx, in.eraseForBot(ctx))
	default:
		_, _ = io.Copy(io.Discard, in.stdin)
	}
}

// askedOfBot reads git's question; ok is false where it is none of ours.
func (in invocation) askedOfBot() (request credential.Request, ok bool, err error) {
	request, err = credential.Parse(in.stdin)
	if err != nil {
		return request, false, nil
	}
	host, err := githubURL(in.getenv)
	return request, err == nil && request.For(host), err
}

func (in invocation) getForBot(ctx context.Context) error {
	request, ok, err := in.askedOfBot()
	if !ok || err != nil {
		return err
	}
	token, err := in.askAgent(ctx, agentQuestion{})
	if err != nil {
		return err
	}
	return credential.Answer{Username: credential.Username, Password: token.Token.String, ExpiresAt: token.ExpiresAt}.Write(in.stdout, request)
}

func (in invocation) eraseForBot(ctx context.Context) error {
	request, ok, err := in.askedOfBot()
	if !ok || err != nil || request.Password.Empty() {
		return err
	}
	_, err = in.askAgent(ctx, agentQuestion{Refused: request.Password.Hash()})
	return err
}
