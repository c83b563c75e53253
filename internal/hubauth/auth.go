package hubauth

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/gorilla/securecookie"
	"golang.org/x/oauth2"

	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// hubSessionCookie is what JupyterHub names the cookie that tells one sign-in
// of a browser from the next. It is readable by every service on purpose.
const hubSessionCookie = "jupyterhub-session-id"

var (
	// ErrSignedOut: the caller is nobody this service knows.
	ErrSignedOut = errors.New("not signed in")
	// ErrNoAccess: a Hub token that does not reach this service.
	ErrNoAccess = errors.New("the token does not allow access to this service")
)

// Hub is what hubauth asks of JupyterHub.
type Hub interface {
	Whoami(ctx context.Context, token secret.String) (hub.User, error)
}

// Options are what an Auth is made of.
type Options struct {
	Hub      Hub
	Sessions Sessions
	// CookieKeys are for the cookies; the first writes, all read.
	CookieKeys []CookieKey

	// ClientID is the OAuth client, "service-NAME"; cookies are named after it.
	ClientID string
	// ClientSecret reads the service's own Hub token. It is read at each use,
	// since the file it comes from may be replaced while the service runs.
	ClientSecret func() (secret.String, error)
	// AuthorizeURL is the Hub's page as the browser reaches it; TokenURL as the
	// service reaches it. RedirectURL is the callback as it was registered.
	AuthorizeURL, TokenURL, RedirectURL string
	// Scopes are asked for at login.
	Scopes []string
	// AccessScopes are those of which a caller's token must hold one.
	AccessScopes []string
	// Prefix is the path that cookies are limited to; it ends in "/".
	Prefix string
	// HostCookies gives cookies the prefix __Host-, with which no other host below
	// the domain can set them. They are of the path "/" then, so the host must be
	// the service's alone; and it must be reached over https.
	HostCookies bool
	// HubCookiePath and HubCookieDomain are of the Hub's session id as the Hub
	// sets it; no domain: its host alone.
	HubCookiePath, HubCookieDomain string
	// PublicURL is where browsers reach this service; nil where it is not known.
	PublicURL *url.URL
	// Life is how long a session lasts at most.
	Life time.Duration

	HTTP  *http.Client
	Clock func() time.Time
	// Ended is called with each session that was found invalid; it may be nil.
	Ended func(ctx context.Context, session Session)
}

// Auth knows callers. Safe for concurrent use.
type Auth struct {
	hub          Hub
	http         *http.Client // follows no redirect
	tokens       *tokenCache
	oauth        oauth2.Config
	clientID     string
	clientSecret func() (secret.String, error)
	accessScopes []string

	sessions Sessions
	life     time.Duration
	ended    func(ctx context.Context, session Session) // may be nil

	loginCodecs, sessionCodecs     []securecookie.Codec // of the cookies
	prefix                         string
	hostCookies                    bool
	hubCookiePath, hubCookieDomain string
	publicURL                      *url.URL

	clock func() time.Time
}

// New returns an Auth. Its HTTP client follows no redirect, since what is sent for
// a user's token may go nowhere else.
func New(o Options) *Auth {
	direct := *o.HTTP
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Auth{
		hub: o.Hub, http: &direct, tokens: newTokenCache(o.Clock),
		oauth: oauth2.Config{
			ClientID: o.ClientID, RedirectURL: o.RedirectURL, Scopes: o.Scopes,
			Endpoint: oauth2.Endpoint{AuthURL: o.AuthorizeURL, TokenURL: o.TokenURL, AuthStyle: oauth2.AuthStyleInParams},
		},
		clientID: o.ClientID, clientSecret: o.ClientSecret, accessScopes: o.AccessScopes,
		sessions: o.Sessions, life: o.Life, ended: o.Ended,
		loginCodecs: loginCodecs(o.CookieKeys), sessionCodecs: sessionCodecs(o.CookieKeys, o.Life),
		prefix: o.Prefix, hostCookies: o.HostCookies,
		hubCookiePath: o.HubCookiePath, hubCookieDomain: o.HubCookieDomain, publicURL: o.PublicURL,
		clock: o.Clock,
	}
}

// Session returns the live session of a browser, [ErrSignedOut], or a
// [*CookiesError] where its cookies do not say which session it is. With fresh
// the Hub is asked whether it still knows the session's token; otherwise its
// last answer counts for a minute. An error of the Hub or the store is returned
// as it is: it is no reason to sign anybody out.
func (a *Auth) Session(r *http.Request, fresh bool) (Session, error) {
	if err := once(r, a.sessionCookie(), hubSessionCookie); err != nil {
		return Session{}, err
	}
	id := a.readCookie(r)
	if id == "" {
		return Session{}, ErrSignedOut
	}
	ctx := r.Context()
	session, err := a.sessions.Session(ctx, id)
	if errors.Is(err, ErrNoSession) {
		return Session{}, ErrSignedOut
	}
	if err != nil {
		return Session{}, err
	}
	if !session.ExpiresAt.After(a.clock()) || !sameHubSession(r, session.HubSessionID) {
		return Session{}, a.end(ctx, id, session)
	}
	session.Holder, err = a.whoami(ctx, session.HubToken.String, fresh)
	// Of a user who was renamed: the name may be somebody else's by now.
	renamed := err == nil && (session.Holder.Kind != "user" || session.Holder.Name != session.User)
	if renamed || errors.Is(err, hub.ErrUnauthorized) || errors.Is(err, hub.ErrForbidden) {
		return Session{}, a.end(ctx, id, session)
	}
	if err != nil {
		return Session{}, err
	}
	return session, nil
}

// whoami asks the Hub whose token a session's is.
func (a *Auth) whoami(ctx context.Context, token secret.String, fresh bool) (hub.User, error) {
	if user, cached := a.tokens.get(token); cached && !fresh {
		return user, nil
	}
	user, err := a.hub.Whoami(ctx, token)
	if err == nil {
		a.tokens.add(token, user)
	}
	return user, err
}

// end forgets a dead session and says so.
func (a *Auth) end(ctx context.Context, id string, session Session) error {
	a.tokens.drop(session.HubToken.String)
	if err := a.sessions.End(ctx, id); err != nil {
		return err
	}
	if a.ended != nil {
		a.ended(ctx, session)
	}
	return ErrSignedOut
}

// sameHubSession: the Hub gives each sign-in of a browser an id of its own and
// takes it back at logout. A Hub that names none is not held to it.
func sameHubSession(r *http.Request, id string) bool {
	return id == "" || subtle.ConstantTimeCompare([]byte(value(r, hubSessionCookie)), []byte(id)) == 1
}

// CheckCSRF reports whether a value is the session's.
func (s Session) CheckCSRF(value string) bool {
	want := s.CSRF.Reveal()
	return want != "" && subtle.ConstantTimeCompare([]byte(want), []byte(value)) == 1
}
