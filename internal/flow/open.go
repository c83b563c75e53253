package flow

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

const (
	// serverTokenLife is how long a token for one server is valid at most. A
	// delivery or removal has stepLimit, and deletes it at its end.
	serverTokenLife = 2 * time.Minute
	// endLimit bounds that, and lastLimit where the step itself has no time left.
	endLimit  = 5 * time.Second
	lastLimit = time.Second
)

// open makes a server that runs a [Target], with a Hub token for this server
// alone: the user's own, which opens all of their servers, is shown to none. The
// token is good until end is called.
func (e *Engine) open(ctx context.Context, u *User, server hub.Server) (target hub.Target, end func(), err error) {
	address, err := e.Hub.Address(server)
	if err != nil {
		return hub.Target{}, nil, e.trouble(u.Name, "server address", &apierror.Error{Code: apierror.CodeServerAddress,
			Message: "The Hub named an address for the server that cannot be right.",
			Hint:    "Contact your Hub's administrators.", Err: err})
	}

	made, err := e.Hub.ServerToken(ctx, u.HubToken.String, u.Name, server.Name, serverTokenLife)
	if errors.Is(err, hub.ErrForbidden) && errors.Is(e.signedIn(ctx, u), hub.ErrUnauthorized) {
		err = hub.ErrUnauthorized
	}
	if err != nil {
		e.trouble(u.Name, "make server token", err)
		return hub.Target{}, nil, err
	}

	prove := func(ctx context.Context, token secret.String) error { return e.prove(ctx, token, u.Name, server.Name) }
	return hub.Target{Address: address, Token: made.Token, Prove: prove}, func() { e.end(ctx, u, made.ID) }, nil
}

// end deletes a token for one server, whatever became of the step that it was made
// for. One that could not be deleted dies within serverTokenLife.
func (e *Engine) end(ctx context.Context, u *User, id string) {
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), endLimit)
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lastLimit, cancel) })()
	if err := e.Hub.DeleteToken(ending, u.HubToken.String, u.Name, id); err != nil {
		e.trouble(u.Name, "delete server token", err)
	}
}

// prove asks the Hub whose a token is that was shown at a server's address.
func (e *Engine) prove(ctx context.Context, token secret.String, user, server string) error {
	if !presentable(token) {
		return errUnproven
	}
	holder, err := e.Hub.Whoami(ctx, token)
	var unavailable *hub.UnavailableError
	switch {
	case errors.As(err, &unavailable):
		return hubTrouble(err)
	case err != nil || !holder.IsServer(user, server):
		return errUnproven
	}
	return nil
}

// presentable reports whether text that somebody printed may be shown to the Hub
// as a token.
func presentable(token secret.String) bool {
	text := token.Reveal()
	return text != "" && len(text) <= 512 && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

var errUnproven = &apierror.Error{Code: apierror.CodeServerUnproven,
	Message: "The program that answers as this server did not show the server's own Hub token, so nothing was sent to it.",
	Hint: "Restart the server and try again. If that does not help, an administrator must leave JUPYTERHUB_API_TOKEN in the " +
		"server's environment and access:servers!server in its scopes, or choose pull delivery. With internal_ssl at the Hub, no other program can answer in a server's place."}
