package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"

	"github.com/ghscoped/ghscoped-service/internal/config"
)

const userUsage = `Usage: ghscoped-service user end NAME [settings]

Ends all that the running service knows of a Hub user, for whom the page cannot
be used: the GitHub token is revoked, bot tokens of the user's programs too, and
the account that the identity policy remembers is forgotten. Use it when a user
was deleted or renamed at the Hub.

It asks the service that runs with the same settings on this machine, with the
service's own Hub token.
Exit codes: 0 done; 1 the service does not run, or knows nothing of that name;
2 the command line, or the settings.
`

// user ends what is known of one Hub user.
func user(ctx context.Context, in invocation) int {
	return in.report("user", userUsage, func(in invocation) (int, error) { return in.user(ctx) })
}

func (in invocation) user(ctx context.Context) (int, error) {
	set := quietFlags("user")
	if err := set.Parse(in.args); err != nil {
		return exitUsage, err
	}
	if set.NArg() < 2 || set.Arg(0) != "end" || set.Arg(1) == "" {
		return exitUsage, errors.New("it takes: user end NAME; see ghscoped-service user -help")
	}
	name := set.Arg(1)
	in.args = set.Args()[2:]
	cfg, code, ok := settings(in)
	if !ok {
		return code, nil
	}
	if err := endUser(ctx, cfg, name); err != nil {
		fmt.Fprintf(in.stderr, "ghscoped-service: %v\n", err)
		return exitFault, nil
	}
	fmt.Fprintf(in.stdout, "ended %s; the token is being revoked\n", name)
	return exitOK, nil
}

// endUser asks the running service, which has the store open.
func endUser(ctx context.Context, cfg config.Config, name string) error {
	own, err := cfg.Hub.Token.Reload(os.ReadFile)
	if err != nil {
		return fmt.Errorf("the service's Hub token: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, healthLimit)
	defer cancel()
	address := localURL(cfg.Service.Listen, cfg.Service.Prefix+"api/users/"+url.PathEscape(name))
	request, err := http.NewRequestWithContext(ctx, http.MethodDelete, address, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "token "+own.Reveal())
	response, err := (&http.Client{Transport: &http.Transport{}, CheckRedirect: noRedirect}).Do(request)
	if err != nil {
		return fmt.Errorf("the service does not run on this machine with these settings: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNoContent {
		return nil
	}
	var answer struct {
		Error struct{ Code, Message, Hint string }
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(&answer); err != nil || answer.Error.Code == "" {
		return fmt.Errorf("%s answered %s, which is not this service", address, response.Status)
	}
	return fmt.Errorf("%s (%s) %s", answer.Error.Message, answer.Error.Code, answer.Error.Hint)
}

// maxAnswer bounds what is read of the service's answer, in bytes.
const maxAnswer = 64 << 10

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
