package hubauth

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// BearerToken is the Hub token that a program shows: "Authorization: Bearer …"
// (RFC 6750) or "token …", as JupyterHub writes it. Empty where there is none.
func BearerToken(r *http.Request) secret.String {
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") && !strings.EqualFold(scheme, "token") {
		return secret.String{}
	}
	return secret.New(strings.TrimSpace(value))
}

// Holder says whose token this is, if it allows access to this service:
// otherwise [ErrNoAccess], or [ErrSignedOut] for one that the Hub does not know.
// With fresh the Hub is asked; otherwise its last answer is cached for a minute.
func (a *Auth) Holder(r *http.Request, token secret.String, fresh bool) (hub.User, error) {
	return a.holder(r, token, fresh, a.accessScopes)
}

// HasScope is nil for a token that holds a scope of the Hub, whoever it is of.
// The Hub's last answer is cached for a minute.
func (a *Auth) HasScope(r *http.Request, token secret.String, scope string) error {
	_, err := a.holder(r, token, false, []string{scope})
	return err
}

// Own is nil for a request that shows the service's own Hub token, which only
// whoever reads the service's settings has.
func (a *Auth) Own(r *http.Request) error {
	own, err := a.clientSecret()
	if err != nil {
		return fmt.Errorf("read the service's Hub token: %w", err)
	}
	// Hashes, so that not even the length shows.
	want, shown := own.Hash(), BearerToken(r).Hash()
	if want == "" || subtle.ConstantTimeCompare([]byte(want), []byte(shown)) != 1 {
		return ErrSignedOut
	}
	return nil
}

// holder finds out whose token this is, and demands one of the scopes. Where
// the last answer lacks them, the Hub is asked again; that it does not know the
// token counts for two seconds.
func (a *Auth) holder(r *http.Request, token secret.String, fresh bool, oneOf []string) (hub.User, error) {
	allowed := func(user hub.User) bool {
		return slices.ContainsFunc(oneOf, func(scope string) bool { return grants(user.Scopes, scope) })
	}
	if user, cached := a.tokens.get(token); cached && !fresh && allowed(user) {
		return user, nil
	}
	if a.tokens.refused(token) {
		return hub.User{}, ErrSignedOut
	}
	user, err := a.hub.Whoami(r.Context(), token)
	if errors.Is(err, hub.ErrUnauthorized) || errors.Is(err, hub.ErrForbidden) {
		a.tokens.refuse(token)
		return hub.User{}, ErrSignedOut
	}
	if err != nil {
		return hub.User{}, err
	}
	if !allowed(user) {
		a.tokens.drop(token)
		return hub.User{}, ErrNoAccess
	}
	a.tokens.add(token, user)
	return user, nil
}

// grants reports whether held scopes cover the wanted one: literally, or by the
// same scope without a filter.
func grants(held []string, wanted string) bool {
	plain, _, _ := strings.Cut(wanted, "!")
	return slices.Contains(held, wanted) || slices.Contains(held, plain)
}
