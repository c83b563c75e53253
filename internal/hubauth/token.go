package hubauth

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// BearerToken is the Hub token that a program shows: "Authorization: Bearer …"
// (RFC 6750) or "token …", as JupyterHub writes it. Empty where there is none.
func BearerToken(r *http.Request) secret.String {
	scheme, value, found := strings.Cut(r.Header.Get("Authorization"), " ")
	if !found || (!strings.EqualFold(scheme, "bearer") && !strings.EqualFold(scheme, "token")) {
		return secret.String{}
	}
	return secret.New(strings.TrimSpace(value))
}

// Holder says whose token this is, if it allows access to this service:
// otherwise [ErrNoAccess], or [ErrSignedOut] for one that the Hub does not know.
func (a *Auth) Holder(r *http.Request, token secret.String) (hub.User, error) {
	return a.holder(r, token, a.AccessScopes)
}

// HasScope is nil for a token that holds a scope of the Hub, whoever it is of.
func (a *Auth) HasScope(r *http.Request, token secret.String, scope string) error {
	_, err := a.holder(r, token, []string{scope})
	return err
}

// holder asks the Hub whose token this is, and demands one of the scopes.
func (a *Auth) holder(r *http.Request, token secret.String, oneOf []string) (hub.User, error) {
	user, err := a.Hub.Whoami(r.Context(), token)
	if errors.Is(err, hub.ErrUnauthorized) || errors.Is(err, hub.ErrForbidden) {
		return hub.User{}, ErrSignedOut
	}
	if err != nil {
		return hub.User{}, err
	}
	if !slices.ContainsFunc(oneOf, func(scope string) bool { return grants(user.Scopes, scope) }) {
		return hub.User{}, ErrNoAccess
	}
	return user, nil
}

// grants reports whether held scopes cover the wanted one: literally, or by the
// same scope without a filter.
func grants(held []string, wanted string) bool {
	plain, _, _ := strings.Cut(wanted, "!")
	return slices.Contains(held, wanted) || slices.Contains(held, plain)
}
