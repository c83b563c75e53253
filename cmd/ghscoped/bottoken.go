package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/client"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// mintLimit bounds the making of a token, for which the service asks GitHub
// several times.
const mintLimit = 60 * time.Second

// botOptions are what a bot asks for.
type botOptions struct{ repositories, permissions words }

func (o *botOptions) declare(set *flag.FlagSet) {
	set.Var(&o.repositories, "repo", "`OWNER/NAME` of a repository; may be given several times, for one owner")
	set.Var(&o.permissions, "permission", "`NAME:LEVEL`, such as contents:write; may be given several times")
}

// request is what the options ask for. What is wrong with a name the service
// knows better.
func (o *botOptions) request() (client.BotRequest, error) {
	asked := client.BotRequest{Repositories: o.repositories, Permissions: map[string]string{}}
	if len(o.repositories) == 0 || len(o.permissions) == 0 {
		return asked, &fault{exit: exitUsage, code: "usage", message: "--repo and --permission are needed.", hint: "As in: --repo octo-org/papers --permission contents:write"}
	}
	for _, permission := range o.permissions {
		name, level, found := strings.Cut(permission, ":")
		if _, twice := asked.Permissions[name]; !found || twice {
			return asked, &fault{exit: exitUsage, code: "usage", message: fmt.Sprintf("--permission %q is no NAME:LEVEL, or one of two for that name.", secret.Scrub(permission)),
				hint: "As in: --permission contents:write"}
		}
		asked.Permissions[name] = level
	}
	return asked, nil
}

// words is an option that may be given several times.
type words []string

func (w *words) String() string { return strings.Join(*w, " ") }

func (w *words) Set(text string) error {
	if text == "" {
		return errors.New("it is empty")
	}
	*w = append(*w, text)
	return nil
}

// botToken prints a token for a bot; inside bot exec without options, the one
// that the job has at that moment.
func botToken(set *flag.FlagSet, _ invocation) runner {
	var o botOptions
	o.declare(set)
	set.Bool("json", false, "for programs: one JSON object, with the expiry and the name for commits")
	return func(ctx context.Context, in invocation, positional []string) error {
		if err := noWords(positional); err != nil {
			return err
		}
		token, err := in.botToken(ctx, o)
		if err != nil {
			return err
		}
		if wantsJSON(set) {
			return printJSON(in, token)
		}
		_, err = fmt.Fprintln(in.stdout, token.Token.Reveal())
		return err
	}
}

func (in invocation) botToken(ctx context.Context, o botOptions) (client.BotToken, error) {
	if in.getenv(socketVariable) != "" && len(o.repositories)+len(o.permissions) == 0 {
		return in.askKeeper(ctx, keeperQuestion{})
	}
	asked, err := o.request()
	if err != nil {
		return client.BotToken{}, err
	}
	service, err := in.service()
	if err != nil {
		return client.BotToken{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, mintLimit)
	defer cancel()
	return service.BotToken(ctx, asked)
}
