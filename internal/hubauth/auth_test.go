package hubauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/hubauth"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

const prefix = "/services/connect-github/"

// The real Hub is on the other side in test/e2e; here its answers are chosen.
type fixture struct {
	auth     *hubauth.Auth
	options  hubauth.Options
	now      time.Time
	whoami   func() (hub.User, error)
	asked    int
	token    http.HandlerFunc
	sessions memory
	ended    []string
}

type memory map[string]hubauth.Session

func (m memory) Create(_ context.Context, s hubauth.Session) (string, error) {
	id := fmt.Sprintf("id-%d", len(m))
	m[id] = s
	return id, nil
}

func (m memory) Session(_ context.Context, id string) (hubauth.Session, error) {
	if s, ok := m[id]; ok {
		return s, nil
	}
	return hubauth.Session{}, hubauth.ErrNoSession
}

func (m memory) End(_ context.Context, id string) error { delete(m, id); return nil }

func (f *fixture) Whoami(context.Context, secret.String) (hub.User, error) {
	f.asked++
	return f.whoami()
}

func cookieKeys(seeds ...string) (keys []hubauth.CookieKey) {
	for _, seed := range seeds {
		key := []byte(strings.Repeat(seed, 32))
		keys = append(keys, hubauth.CookieKey{Sign: key, Seal: key})
	}
	return keys
}

func setUp(t *testing.T) *fixture {
	f := &fixture{now: time.Now(), sessions: memory{}}
	f.whoami = func() (hub.User, error) {
		return hub.User{Kind: "user", Name: "ada", SessionID: "s1", Scopes: []string{"access:services!service=connect-github"}}, nil
	}
	f.token = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"access_token": "hub-token", "token_type": "Bearer"})
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.token(w, r) }))
	t.Cleanup(server.Close)
	f.options = hubauth.Options{
		Hub: f, Sessions: f.sessions, CookieKeys: cookieKeys("k"), ClientID: "service-connect-github",
		ClientSecret: func() (secret.String, error) { return secret.New("service-token"), nil },
		AuthorizeURL: "/hub/api/oauth2/authorize", TokenURL: server.URL, RedirectURL: prefix + "oauth_callback",
		Scopes: []string{"access:services!service=connect-github", "servers!user"}, AccessScopes: []string{"access:services!service=connect-github"},
		Prefix: prefix, Life: 8 * time.Hour, HTTP: server.Client(), Clock: func() time.Time { return f.now },
		Ended: func(_ context.Context, s hubauth.Session) { f.ended = append(f.ended, s.User+" "+s.HubToken.Reveal()) },
	}
	f.auth = hubauth.New(f.options)
	return f
}

// login begins a login and returns the address at the Hub and the cookie.
func (f *fixture) login(t *testing.T, next string) (url.Values, *http.Cookie) {
	w := httptest.NewRecorder()
	require.NoError(t, f.auth.Login(w, httptest.NewRequest("GET", prefix, nil), next))
	require.Equal(t, http.StatusFound, w.Code)
	at, err := url.Parse(w.Header().Get("Location"))
	require.NoError(t, err)
	require.Equal(t, "/hub/api/oauth2/authorize", at.Path)
	require.Len(t, w.Result().Cookies(), 1)
	return at.Query(), w.Result().Cookies()[0]
}

func (f *fixture) callback(query url.Values, cookies ...*http.Cookie) (*httptest.ResponseRecorder, string, error) {
	r := httptest.NewRequest("GET", prefix+"oauth_callback?"+query.Encode(), nil)
	for _, c := range append(cookies, hubSession) {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	_, next, err := f.auth.Callback(w, r)
	return w, next, err
}

// signIn returns the session cookie of a complete login.
func (f *fixture) signIn(t *testing.T) *http.Cookie {
	asked, cookie := f.login(t, "")
	w, _, err := f.callback(url.Values{"state": asked["state"], "code": {"c"}}, cookie)
	require.NoError(t, err)
	for _, c := range w.Result().Cookies() {
		if strings.HasSuffix(c.Name, "-session") {
			return c
		}
	}
	require.Fail(t, "no session cookie")
	return nil
}

func request(cookies ...*http.Cookie) *http.Request {
	r := httptest.NewRequest("GET", prefix, nil)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	return r
}

var hubSession = &http.Cookie{Name: "jupyterhub-session-id", Value: "s1"}

func TestLoginAsksTheHubWithPKCEAndAllScopes(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	var form url.Values
	answer := f.token
	f.token = func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		form = r.Form
		answer(w, r)
	}
	asked, cookie := f.login(t, "")
	require.Equal(t, "S256", asked.Get("code_challenge_method"))
	require.Equal(t, "access:services!service=connect-github servers!user", asked.Get("scope"))
	require.True(t, cookie.HttpOnly)
	require.Equal(t, http.SameSiteLaxMode, cookie.SameSite)
	require.Equal(t, prefix, cookie.Path)

	w, next, err := f.callback(url.Values{"state": asked["state"], "code": {"c"}}, cookie)
	require.NoError(t, err)
	require.Equal(t, "./", next)
	require.NotEmpty(t, form.Get("code_verifier"))
	require.Equal(t, "service-token", form.Get("client_secret"))
	require.NotContains(t, fmt.Sprint(w.Header()), "hub-token", "no token in a cookie")
}

func TestCallbackIsRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(query url.Values, cookie *http.Cookie)
		want   error
	}{
		"without the browser's cookie":        {func(_ url.Values, c *http.Cookie) { c.Name = "other" }, hubauth.ErrLoginState},
		"with a state of another login":       {func(q url.Values, _ *http.Cookie) { q.Set("state", q.Get("state")+"x") }, hubauth.ErrLoginState},
		"without a state":                     {func(q url.Values, _ *http.Cookie) { q.Del("state") }, hubauth.ErrLoginState},
		"with a cookie somebody made":         {func(_ url.Values, c *http.Cookie) { c.Value = "made-up" }, hubauth.ErrLoginState},
		"when the person declined at the Hub": {func(q url.Values, _ *http.Cookie) { q.Set("error", "access_denied") }, &hubauth.DeniedError{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setUp(t)
			asked, cookie := f.login(t, "")
			query := url.Values{"state": asked["state"], "code": {"c"}}
			test.change(query, cookie)
			_, _, err := f.callback(query, cookie)
			if denied := (&hubauth.DeniedError{}); errors.As(test.want, &denied) {
				require.ErrorAs(t, err, &denied)
			} else {
				require.ErrorIs(t, err, test.want)
			}
			require.Empty(t, f.sessions)
		})
	}
}

func TestCallbackFollowsNoRedirectWithTheServicesToken(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			reached := false
			elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
			t.Cleanup(elsewhere.Close)
			f := setUp(t)
			answer := f.token
			f.token = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, status) }
			asked, cookie := f.login(t, "")
			query := url.Values{"state": asked["state"], "code": {"c"}}
			w, _, err := f.callback(query, cookie)
			var unavailable *hub.UnavailableError
			require.ErrorAs(t, err, &unavailable)
			require.False(t, reached)
			require.Empty(t, w.Result().Cookies(), "the login is still open")

			f.token = answer
			_, _, err = f.callback(query, cookie)
			require.NoError(t, err)
		})
	}
}

func TestLoginTwiceInOneBrowserDoesNotDisturbEachOther(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	first, cookie1 := f.login(t, "")
	second, cookie2 := f.login(t, "")
	for _, asked := range []url.Values{first, second} {
		_, _, err := f.callback(url.Values{"state": asked["state"], "code": {"c"}}, cookie1, cookie2)
		require.NoError(t, err)
	}
}

func TestNextStaysBelowThePrefix(t *testing.T) {
	t.Parallel()
	for next, want := range map[string]string{
		"": "./", "admin": "./admin", "./admin?x=1": "./admin?x=1",
		"//evil.example/": "./", "https://evil.example": "./", `\\evil.example`: "./", "/user/ada": "./",
		"javascript:alert(1)": "./", "../hub/logout": "./", "a\r\nSet-Cookie": "./",
	} {
		t.Run(next, func(t *testing.T) {
			t.Parallel()
			f := setUp(t)
			asked, cookie := f.login(t, next)
			_, got, err := f.callback(url.Values{"state": asked["state"], "code": {"c"}}, cookie)
			require.NoError(t, err)
			require.Equal(t, want, got)
		})
	}
}

func TestSessionEnds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(f *fixture, r *http.Request) *http.Request{
		"when its time is over": func(f *fixture, r *http.Request) *http.Request { f.now = f.now.Add(9 * time.Hour); return r },
		"when the Hub does not know the token any more": func(f *fixture, r *http.Request) *http.Request {
			f.now = f.now.Add(2 * time.Minute)
			f.whoami = func() (hub.User, error) { return hub.User{}, hub.ErrUnauthorized }
			return r
		},
		"when the Hub forbids the token": func(f *fixture, r *http.Request) *http.Request {
			f.now = f.now.Add(2 * time.Minute)
			f.whoami = func() (hub.User, error) { return hub.User{}, hub.ErrForbidden }
			return r
		},
		"when its user was renamed, and the name may be another's": func(f *fixture, r *http.Request) *http.Request {
			f.now = f.now.Add(2 * time.Minute)
			f.whoami = func() (hub.User, error) { return hub.User{Kind: "user", Name: "lovelace", SessionID: "s1"}, nil }
			return r
		},
		"when the Hub's answer is of no user": func(f *fixture, r *http.Request) *http.Request {
			f.now = f.now.Add(2 * time.Minute)
			f.whoami = func() (hub.User, error) { return hub.User{Kind: "service", Name: "ada"}, nil }
			return r
		},
		"when the browser signed out of the Hub": func(f *fixture, r *http.Request) *http.Request {
			cookie, _ := r.Cookie("service-connect-github-session")
			return request(cookie)
		},
		"when somebody else signed in at the Hub": func(f *fixture, r *http.Request) *http.Request {
			cookie, _ := r.Cookie("service-connect-github-session")
			return request(cookie, &http.Cookie{Name: hubSession.Name, Value: "s2"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setUp(t)
			r := request(f.signIn(t), hubSession)
			session, err := f.auth.Session(r, false)
			require.NoError(t, err)
			require.Equal(t, "ada", session.User)

			_, err = f.auth.Session(test(f, r), false)
			require.ErrorIs(t, err, hubauth.ErrSignedOut)
			require.Empty(t, f.sessions)
			require.Equal(t, []string{"ada hub-token"}, f.ended)
		})
	}
}

func TestSessionOutlivesErrorsOfTheHub(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	r := request(f.signIn(t), hubSession)
	working := f.whoami
	f.whoami = func() (hub.User, error) { return hub.User{}, &hub.UnavailableError{Err: errors.New("503")} }
	_, err := f.auth.Session(r, true)
	var unavailable *hub.UnavailableError
	require.ErrorAs(t, err, &unavailable)

	f.whoami = working
	_, err = f.auth.Session(r, true)
	require.NoError(t, err)
	require.Empty(t, f.ended)
}

func TestSessionAsksTheHubOnceAMinuteForReadsAndAlwaysForWrites(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	r := request(f.signIn(t), hubSession)
	f.asked = 0
	for range 5 {
		_, err := f.auth.Session(r, false)
		require.NoError(t, err)
	}
	require.Zero(t, f.asked)
	_, err := f.auth.Session(r, true)
	require.NoError(t, err)
	require.Equal(t, 1, f.asked)
	f.now = f.now.Add(time.Minute)
	_, err = f.auth.Session(r, false)
	require.NoError(t, err)
	require.Equal(t, 2, f.asked)
}

func TestSessionOutlivesANewFirstKey(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	r := request(f.signIn(t), hubSession)
	f.options.CookieKeys = cookieKeys("n", "k")
	_, err := hubauth.New(f.options).Session(r, false)
	require.NoError(t, err)
	f.options.CookieKeys = cookieKeys("n")
	_, err = hubauth.New(f.options).Session(r, false)
	require.ErrorIs(t, err, hubauth.ErrSignedOut)
}

func TestCookiesAreSecureWhereTheHubIs(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		public, forwarded string
		want              bool
	}{
		"public https":                        {"https://hub.example/", "", true},
		"public http, whatever a header says": {"http://hub.example/", "https", false},
		"unknown, behind https":               {"", "https", true},
		"unknown, behind several proxies":     {"", "https,http", true},
		"unknown, plain":                      {"", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setUp(t)
			if test.public != "" {
				f.options.PublicURL, _ = url.Parse(test.public)
			}
			r := request()
			r.Header.Set("X-Forwarded-Proto", test.forwarded)
			w := httptest.NewRecorder()
			require.NoError(t, hubauth.New(f.options).Login(w, r, ""))
			require.Equal(t, test.want, w.Result().Cookies()[0].Secure)
		})
	}
}

func TestHolderTokenMustReachThisService(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		scopes []string
		want   error
	}{
		"this service":    {[]string{"access:services!service=connect-github"}, nil},
		"every service":   {[]string{"access:services"}, nil},
		"another service": {[]string{"access:services!service=other"}, hubauth.ErrNoAccess},
		"none":            {nil, hubauth.ErrNoAccess},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setUp(t)
			f.whoami = func() (hub.User, error) { return hub.User{Kind: "user", Name: "ada", Scopes: test.scopes}, nil }
			_, err := f.auth.Holder(request(), secret.New("t"), false)
			require.ErrorIs(t, err, test.want)
		})
	}
}

func TestBearerTokenIsReadInBothForms(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"Bearer abc": "abc", "token abc": "abc", "TOKEN abc": "abc", "Basic abc": "", "": "", "abc": "",
	} {
		r := request()
		r.Header.Set("Authorization", header)
		require.Equal(t, want, hubauth.BearerToken(r).Reveal(), header)
	}
}

func TestCSRFTokenIsTheSessionsOwn(t *testing.T) {
	t.Parallel()
	require.False(t, hubauth.Session{}.CheckCSRF(""))
	session := hubauth.Session{CSRF: secret.Store(secret.New("right"))}
	require.True(t, session.CheckCSRF("right"))
	require.False(t, session.CheckCSRF("wrong"))
}
