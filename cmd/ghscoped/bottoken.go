package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ghscoped/ghscoped-service/internal/client"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// mintLimit bounds the making of a token, for which the service asks GitHub
// several times, and is asked again while what stands in the way may pass.
const mintLimit = 2 * time.Minute

// botOptions are what a bot asks for.
type botOptions struct{ repositories, permissions []string }

func (o *botOptions) declare(set *pflag.FlagSet) {
	set.StringArrayVar(&o.repositories, "repo", nil, "`OWNER/NAME` of a repository; may be given several times, for one owner")
	set.StringArrayVar(&o.permissions, "permission", nil, "`NAME:LEVEL`, such as contents:write; may be given several times")
}

// request is what the options ask for. What is wrong with a name the service
// knows better.
func (o *botOptions) request() (client.BotRequest, error) {
	asked := client.BotRequest{Repositories: o.repositories, Permissions: map[string]string{}}
	if len(o.repositories) == 0 || len(o.permissions) == 0 {
		return asked, &commandError{exit: exitUsage, code: "usage", message: "--repo and --permission are needed.", hint: "As in: --repo octo-org/papers --permission contents:write"}
	}
	for _, permission := range o.permissions {
		name, level, found := strings.Cut(permission, ":")
		if _, twice := asked.Permissions[name]; !found || twice {
			return asked, &commandError{exit: exitUsage, code: "usage", message: fmt.Sprintf("--permission %q is no NAME:LEVEL, or one of two for that name.", secret.Scrub(permission)),
				hint: "As in: --permission contents:write"}
		}
		asked.Permissions[name] = level
	}
	return asked, nil
}

// newBotToken prints a token for a bot; inside bot exec without options, the one
// that the job has at that moment.
func newBotToken(in invocation) *cobra.Command {
	var o botOptions
	cmd := &cobra.Command{
		Use:               "bot-token --repo OWNER/NAME --permission NAME:LEVEL [flags]",
		Short:             "Print a token for a bot, as the Hub's policy allows it",
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	o.declare(cmd.Flags())
	fresh := cmd.Flags().Bool("fresh", false, "a new token, though the policy allows one to be given again")
	asJSON := cmd.Flags().Bool("json", false, oneJSON+", with the expiry and the name for commits")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		token, err := in.botToken(cmd.Context(), o, *fresh)
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(in, token)
		}
		_, err = fmt.Fprintln(in.stdout, token.Token.Reveal())
		return err
	}
	return cmd
}

func (in invocation) botToken(ctx context.Context, o botOptions, fresh bool) (client.BotToken, error) {
	if in.getenv(socketVariable) != "" && len(o.repositories)+len(o.permissions) == 0 {
		return in.askAgent(ctx, agentQuestion{})
	}
	asked, err := o.request()
	if err != nil {
		return client.BotToken{}, err
	}
	service, err := in.botService()
	if err != nil {
		return client.BotToken{}, err
	}
	asked.Fresh = fresh
	return mint(ctx, service, asked)
}

// mint asks for a token, and again while what stands in the way may pass.
func mint(ctx context.Context, service botService, asked client.BotRequest) (client.BotToken, error) {
	ctx, cancel := context.WithTimeout(ctx, mintLimit)
	defer cancel()
	for wait := time.Second; ; wait *= 2 {
		token, err := service.BotToken(ctx, asked)
		refusal, known := errors.AsType[*client.Error](err)
		if err == nil || !known || !refusal.Retryable {
			return token, err
		}
		select {
		case <-time.After(max(wait, refusal.RetryAfter)):
		case <-ctx.Done():
			return token, err
		}
	}
}
