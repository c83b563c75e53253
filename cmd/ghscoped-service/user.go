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

	"github.com/spf13/cobra"

	"github.com/ghscoped/ghscoped-service/internal/config"
)

func newUser(in invocation) *cobra.Command {
	user := asGroup(&cobra.Command{Use: "user", Short: "End what the running service knows of a user who is gone"})
	user.AddCommand(&cobra.Command{
		Use:   "end NAME",
		Short: "End all that the running service knows of a Hub user",
		Long: `Ends all that the running service knows of a Hub user, for whom the page cannot
be used: the GitHub token is revoked, bot tokens of the user's programs too, and
the account that the identity policy remembers is forgotten. Use it when a user
was deleted or renamed at the Hub.

It asks the service that runs with the same settings on this machine, with the
service's own Hub token.

Exit codes: 0 done; 1 the service does not run, or knows nothing of that name;
2 the command line, or the settings.`,
		Args: atMost(1),
		RunE: in.endUser,
	})
	return user
}

func (in invocation) endUser(cmd *cobra.Command, args []string) error {
	if len(args) == 0 || args[0] == "" {
		return errors.New("name the Hub user: user end NAME")
	}
	cfg, err := in.settings(cmd)
	if err != nil {
		return err
	}
	if err := endUser(cmd.Context(), cfg, args[0]); err != nil {
		return &failure{exitFault, err}
	}
	fmt.Fprintf(in.stdout, "ended %s; the token is being revoked\n", args[0])
	return nil
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
