package hubauth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/securecookie"
	"golang.org/x/oauth2"

	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

const (
	// loginLife is how long a person may take at the Hub's login and consent.
	loginLife = 10 * time.Minute
	// exchangeLimit bounds the exchange of the code for a token.
	exchangeLimit = 15 * time.Second
)

// ErrLoginState: the callback does not belong to a login that this browser
// began, or it took too long.
var ErrLoginState = errors.New("this sign-in was not begun in this browser, or it took too long")

// DeniedError: the Hub or the person ended the login.
type DeniedError struct{ Code string }

func (e *DeniedError) Error() string { return "the Hub ended the sign-in: " + e.Code }

// login is what the browser keeps while it is at the Hub; the cookie's name has
// the beginning of the state, so that several logins can run at once.
type login struct {
	State    string
	Verifier string
	Next     string
}

// Login sends a browser to the Hub. next is where it goes afterwards: a path
// relative to the prefix; anything else becomes the page itself. Only what a
// person sees begins a login: for a script or a picture it is [ErrSignedOut].
func (a *Auth) Login(w http.ResponseWriter, r *http.Request, next string) error {
	if !Navigation(r) {
		return ErrSignedOut
	}
	begun := login{State: rand.Text(), Verifier: oauth2.GenerateVerifier(), Next: localPath(next)}
	name := a.loginCookie(begun.State)
	value, err := securecookie.EncodeMulti(name, begun, a.loginCodecs...)
	if err != nil {
		return fmt.Errorf("seal the login cookie: %w", err)
	}
	a.makeRoom(w, r)
	http.SetCookie(w, a.cookie(r, name, value, loginLife))
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, a.oauth.AuthCodeURL(begun.State, oauth2.S256ChallengeOption(begun.Verifier)), http.StatusFound)
	return nil
}

const (
	// maxLogins is how many logins of one browser can be under way at once. Each
	// has a cookie of some 400 bytes, and proxies take 16 kB of headers at most.
	maxLogins = 3
	// maxForgotten bounds how many are given up by one answer, whose headers have
	// to pass a proxy as well.
	maxForgotten = 10
)

// makeRoom gives up the oldest logins. Browsers send the cookies of one path in
// the order in which they were made (RFC 6265, 5.4).
func (a *Auth) makeRoom(w http.ResponseWriter, r *http.Request) {
	var under []string
	for _, cookie := range r.Cookies() {
		if strings.HasPrefix(cookie.Name, a.loginCookie("")) {
			under = append(under, cookie.Name)
		}
	}
	surplus := min(max(0, len(under)-(maxLogins-1)), maxForgotten)
	for _, name := range under[:surplus] {
		http.SetCookie(w, a.expired(r, name))
	}
}

// Callback ends a login: it exchanges the code, asks the Hub who it is, and
// sets the session cookie. It returns the session and where to go next. Cookies
// that could not be told apart afterwards are a [*CookiesError] before the Hub
// is asked for a token.
func (a *Auth) Callback(w http.ResponseWriter, r *http.Request) (Session, string, error) {
	query := r.URL.Query()
	begun, err := a.begun(r, query.Get("state"))
	if err != nil {
		return Session{}, "", err
	}
	if code := query.Get("error"); code != "" {
		a.forget(w, r, begun)
		return Session{}, "", &DeniedError{Code: code}
	}
	token, err := a.exchange(r.Context(), query.Get("code"), begun.Verifier)
	// A Hub that was away has not taken the code: when it is back, the same
	// address loaded again goes well.
	if _, away := errors.AsType[*hub.UnavailableError](err); !away {
		a.forget(w, r, begun)
	}
	if err != nil {
		return Session{}, "", err
	}
	user, err := a.hub.Whoami(r.Context(), token)
	if err != nil {
		return Session{}, "", fmt.Errorf("ask the Hub who signed in: %w", err)
	}
	if user.Kind != "user" {
		return Session{}, "", fmt.Errorf("%w: it belongs to no user", ErrNoAccess)
	}
	if !sameHubSession(r, user.SessionID) { // else the new session would end at once, and its login begin again
		return Session{}, "", &CookiesError{[]string{hubSessionCookie, a.sessionCookie()}}
	}
	now := a.clock()
	session := Session{
		User: user.Name, Holder: user, HubToken: secret.Store(token), HubSessionID: user.SessionID,
		CSRF: secret.Store(secret.New(rand.Text())), CreatedAt: now, ExpiresAt: now.Add(a.life),
	}
	a.tokens.add(token, user)
	return session, begun.Next, a.open(w, r, session)
}

func (a *Auth) open(w http.ResponseWriter, r *http.Request, session Session) error {
	id, err := a.sessions.Create(r.Context(), session)
	if err != nil {
		return fmt.Errorf("store the session: %w", err)
	}
	value, err := securecookie.EncodeMulti(a.sessionCookie(), []byte(id), a.sessionCodecs...)
	if err != nil {
		return fmt.Errorf("sign the session cookie: %w", err)
	}
	http.SetCookie(w, a.cookie(r, a.sessionCookie(), value, a.life))
	return nil
}

// begun finds the login that a state belongs to.
func (a *Auth) begun(r *http.Request, state string) (login, error) {
	var begun login
	name := a.loginCookie(state)
	if err := once(r, name, a.sessionCookie(), hubSessionCookie); err != nil {
		return begun, err
	}
	if err := securecookie.DecodeMulti(name, value(r, name), &begun, a.loginCodecs...); err != nil {
		return begun, fmt.Errorf("%w: %w", ErrLoginState, err)
	}
	if subtle.ConstantTimeCompare([]byte(begun.State), []byte(state)) != 1 {
		return begun, ErrLoginState
	}
	return begun, nil
}

// forget clears the cookie of a login that has its answer: it works once.
func (a *Auth) forget(w http.ResponseWriter, r *http.Request, begun login) {
	http.SetCookie(w, a.expired(r, a.loginCookie(begun.State)))
}

func (a *Auth) exchange(ctx context.Context, code, verifier string) (secret.String, error) {
	clientSecret, err := a.clientSecret()
	if err != nil {
		return secret.String{}, fmt.Errorf("read the service's Hub token: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, oauth2.HTTPClient, a.http), exchangeLimit)
	defer cancel()
	config := a.oauth
	config.ClientSecret = clientSecret.Reveal()
	token, err := config.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	var refused *oauth2.RetrieveError
	switch {
	case err == nil:
		return secret.New(token.AccessToken), nil
	case errors.As(err, &refused) && refusal(refused.Response.StatusCode):
		// The answer's text may repeat what was sent; only the code is kept.
		return secret.String{}, fmt.Errorf("exchange the code at the Hub: %w", &DeniedError{Code: codeOf(refused)})
	}
	return secret.String{}, fmt.Errorf("exchange the code at the Hub: %w", &hub.UnavailableError{Err: errors.New("no usable answer")})
}

// refusal: the Hub has said no. One that is away or busy says nothing, nor does
// whatever redirects.
func refusal(status int) bool {
	return status < 500 && status/100 != 3 && status != http.StatusTooManyRequests
}

func codeOf(refused *oauth2.RetrieveError) string {
	if refused.ErrorCode != "" {
		return refused.ErrorCode
	}
	return fmt.Sprintf("status %d", refused.Response.StatusCode)
}

func (a *Auth) readCookie(r *http.Request) string {
	name := a.sessionCookie()
	var id []byte
	if securecookie.DecodeMulti(name, value(r, name), &id, a.sessionCodecs...) != nil {
		return ""
	}
	return string(id)
}

// Navigation reports whether a browser loads a page for a person to see, as
// opposed to a script, a frame or a picture that asks for it. Browsers on a
// connection that is not trustworthy do not say; they get the benefit of the
// doubt.
func Navigation(r *http.Request) bool {
	mode, dest := r.Header.Get("Sec-Fetch-Mode"), r.Header.Get("Sec-Fetch-Dest")
	return (mode == "" || mode == "navigate") && (dest == "" || dest == "document")
}

// localPath keeps a path below the prefix and makes anything else the page.
func localPath(next string) string {
	if strings.ContainsAny(next, "\\\r\n\t:") || strings.HasPrefix(next, "/") || strings.Contains(next, "..") {
		return "./"
	}
	return "./" + strings.TrimPrefix(next, "./")
}
