package hubauth

import (
	"context"
	"net/http"
)

// Again returns a check that asks once more what a request that reads was asked
// when it came: [ErrSignedOut] or [ErrNoAccess] once its session or Hub token
// does not allow it any more. The Hub's last answer is cached for a minute. It keeps
// the credentials of the request and nothing else of it, so that a stream of
// events that stays open for hours holds little memory.
func (a *Auth) Again(r *http.Request) func(ctx context.Context) error {
	kept := &http.Request{Header: http.Header{}}
	if token := BearerToken(r); !token.Empty() {
		return func(ctx context.Context) error {
			_, err := a.Holder(kept.WithContext(ctx), token, false)
			return err
		}
	}
	for _, name := range []string{a.sessionCookie(), hubSessionCookie} {
		for _, cookie := range r.CookiesNamed(name) {
			kept.AddCookie(cookie) // a copy: the value is a part of the whole header
		}
	}
	return func(ctx context.Context) error {
		_, err := a.Session(kept.WithContext(ctx), false)
		return err
	}
}
