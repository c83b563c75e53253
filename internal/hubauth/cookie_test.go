package hubauth_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/hubauth"
)

// ambiguous demands a CookiesError that names these cookies.
func ambiguous(t *testing.T, err error, names ...string) *hubauth.CookiesError {
	t.Helper()
	var twice *hubauth.CookiesError
	require.ErrorAs(t, err, &twice)
	require.Equal(t, names, twice.Names)
	require.NotErrorIs(t, err, hubauth.ErrSignedOut, "a login that follows by itself would end here again")
	return twice
}

func TestSessionRefusesTwoCookiesOfOneName(t *testing.T) {
	t.Parallel()
	const session = "service-connect-github-session"
	for name, test := range map[string]struct {
		tossed func(own *http.Cookie) []*http.Cookie
		names  []string
	}{
		"a session before our own": {func(own *http.Cookie) []*http.Cookie {
			return []*http.Cookie{{Name: session, Value: "eves"}, own, hubSession}
		}, []string{session}},
		"a session behind our own": {func(own *http.Cookie) []*http.Cookie {
			return []*http.Cookie{own, {Name: session, Value: "eves"}, hubSession}
		}, []string{session}},
		"the same session twice": {func(own *http.Cookie) []*http.Cookie { return []*http.Cookie{own, own, hubSession} }, []string{session}},
		"the Hub's session id": {func(own *http.Cookie) []*http.Cookie {
			return []*http.Cookie{own, hubSession, {Name: "jupyterhub-session-id", Value: "eves"}}
		}, []string{"jupyterhub-session-id"}},
		"both": {func(own *http.Cookie) []*http.Cookie { return []*http.Cookie{own, hubSession, own, hubSession} },
			[]string{session, "jupyterhub-session-id"}},
		"the Hub's session id, without a session": {func(*http.Cookie) []*http.Cookie { return []*http.Cookie{hubSession, hubSession} },
			[]string{"jupyterhub-session-id"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setUp(t)
			own := f.signIn(t)
			_, err := f.auth.Session(request(test.tossed(own)...), false)
			ambiguous(t, err, test.names...)
			_, err = f.auth.Session(request(own, hubSession), false)
			require.NoError(t, err, "nobody's session was ended")
		})
	}
}

func TestSessionOfAnotherBrowserEndsWithoutItsHubSession(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	_, err := f.auth.Session(request(f.signIn(t), &http.Cookie{Name: "jupyterhub-session-id", Value: "adas"}), false)
	require.ErrorIs(t, err, hubauth.ErrSignedOut)
}

func TestCallbackWithCookiesThatDoNotBelongTogether(t *testing.T) {
	t.Parallel()
	session := &http.Cookie{Name: "service-connect-github-session", Value: "eves"}
	for name, test := range map[string]struct {
		cookies  func(login *http.Cookie) []*http.Cookie
		names    func(login string) []string
		exchange bool
	}{
		"two of this login": {func(login *http.Cookie) []*http.Cookie { return []*http.Cookie{login, hubSession, login} },
			func(login string) []string { return []string{login} }, false},
		"two Hub sessions": {func(login *http.Cookie) []*http.Cookie { return []*http.Cookie{login, hubSession, hubSession} },
			func(string) []string { return []string{"jupyterhub-session-id"} }, false},
		"two sessions": {func(login *http.Cookie) []*http.Cookie { return []*http.Cookie{login, hubSession, session, session} },
			func(string) []string { return []string{session.Name} }, false},
		"a login of somebody else's Hub session": {func(login *http.Cookie) []*http.Cookie {
			return []*http.Cookie{login, {Name: "jupyterhub-session-id", Value: "adas"}}
		}, func(string) []string { return []string{"jupyterhub-session-id", session.Name} }, true},
		"no Hub session": {func(login *http.Cookie) []*http.Cookie { return []*http.Cookie{login} },
			func(string) []string { return []string{"jupyterhub-session-id", session.Name} }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setUp(t)
			exchanged, answer := false, f.token
			f.token = func(w http.ResponseWriter, r *http.Request) { exchanged = true; answer(w, r) }
			asked, login := f.login(t, "")
			r := httptest.NewRequest("GET", prefix+"oauth_callback?"+url.Values{"state": asked["state"], "code": {"c"}}.Encode(), nil)
			for _, c := range test.cookies(login) {
				r.AddCookie(c)
			}
			_, _, err := f.auth.Callback(httptest.NewRecorder(), r)
			ambiguous(t, err, test.names(login.Name)...)
			require.Equal(t, test.exchange, exchanged, "no token of the Hub is made where it can be known before")
			require.Empty(t, f.sessions)
		})
	}
}

func TestCallbackWhereTheHubNamesNoSession(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	f.whoami = func() (hub.User, error) { return hub.User{Kind: "user", Name: "ada"}, nil }
	asked, login := f.login(t, "")
	_, _, err := f.callback(url.Values{"state": asked["state"], "code": {"c"}}, login)
	require.NoError(t, err)
}

// dropped are the places, as path or domain and path, at which an answer drops a
// cookie.
func dropped(w *httptest.ResponseRecorder, name string) (places []string) {
	for _, c := range w.Result().Cookies() {
		if c.Name == name && c.MaxAge < 0 {
			places = append(places, c.Domain+c.Path)
		}
	}
	slices.Sort(places)
	return places
}

func TestExpireReachesEveryPlaceButTheHubsOwn(t *testing.T) {
	t.Parallel()
	const session, id = "service-connect-github-session", "jupyterhub-session-id"
	for name, test := range map[string]struct {
		public, domain string
		session, id    []string
	}{
		"an address": {"http://127.0.0.1:8000/services/connect-github/", "",
			[]string{"/", "/services", "/services/", "/services/x", "/services/x/", "/services/x/y"},
			[]string{"/services", "/services/", "/services/x", "/services/x/", "/services/x/y"}},
		"one host for all": {"https://hub.example/services/connect-github/", "",
			[]string{"/", "/services", "/services/", "/services/x", "/services/x/", "/services/x/y",
				"hub.example/", "hub.example/services", "hub.example/services/", "hub.example/services/x", "hub.example/services/x/", "hub.example/services/x/y"},
			[]string{"/services", "/services/", "/services/x", "/services/x/", "/services/x/y",
				"hub.example/", "hub.example/services", "hub.example/services/", "hub.example/services/x", "hub.example/services/x/", "hub.example/services/x/y"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setUp(t)
			f.options.PublicURL, _ = url.Parse(test.public)
			f.options.HubCookiePath, f.options.HubCookieDomain = "/", test.domain
			w := httptest.NewRecorder()
			hubauth.New(f.options).Expire(w, httptest.NewRequest("GET", "/services/x/y?z=/", nil), &hubauth.CookiesError{Names: []string{session, id}})
			require.Equal(t, test.session, dropped(w, session))
			require.Equal(t, test.id, dropped(w, id))
		})
	}
	t.Run("a host of its own", func(t *testing.T) {
		t.Parallel()
		f := setUp(t)
		f.options.PublicURL, _ = url.Parse("https://service.hub.example/services/connect-github/")
		f.options.HubCookiePath, f.options.HubCookieDomain = "/", "hub.example"
		w := httptest.NewRecorder()
		hubauth.New(f.options).Expire(w, httptest.NewRequest("GET", "/", nil), &hubauth.CookiesError{Names: []string{session, id}})
		require.Equal(t, []string{"/", "hub.example/", "service.hub.example/"}, dropped(w, session))
		require.Equal(t, []string{"/", "service.hub.example/"}, dropped(w, id))
	})
}

// What the two names and the deepest of our paths need fits into the 4 KiB that
// nginx gives a header by default, beside our other headers.
func TestExpireFitsIntoAProxysHeader(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	f.options.PublicURL, _ = url.Parse("https://hub.example.org" + prefix)
	f.options.HubCookiePath = "/"
	w := httptest.NewRecorder()
	hubauth.New(f.options).Expire(w, httptest.NewRequest("GET", prefix+"github_callback", nil),
		&hubauth.CookiesError{Names: []string{"service-connect-github-session", "jupyterhub-session-id"}})
	size := 0
	for _, value := range w.Header()["Set-Cookie"] {
		size += len("Set-Cookie: \r\n") + len(value)
	}
	require.Less(t, size, 3300)
}

func TestHostCookiesAreOfTheHostAlone(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	f.options.PublicURL, _ = url.Parse("https://service.hub.example" + prefix)
	f.options.HostCookies = true
	f.auth = hubauth.New(f.options)
	w := httptest.NewRecorder()
	require.NoError(t, f.auth.Login(w, httptest.NewRequest("GET", prefix, nil), ""))
	login := w.Result().Cookies()[0]
	at, err := url.Parse(w.Header().Get("Location"))
	require.NoError(t, err)
	w, _, err = f.callback(url.Values{"state": at.Query()["state"], "code": {"c"}}, login)
	require.NoError(t, err)
	cookies := append(w.Result().Cookies(), login)
	require.Len(t, cookies, 3, "the session's, the login's, and the end of the login's")
	for _, c := range cookies {
		require.True(t, strings.HasPrefix(c.Name, "__Host-service-connect-github-"), c.Name)
		require.Equal(t, "/", c.Path, c.Name)
		require.Empty(t, c.Domain, c.Name)
		require.True(t, c.Secure && c.HttpOnly, c.Name)
		if strings.HasSuffix(c.Name, "-session") {
			_, err = f.auth.Session(request(c, hubSession), false)
			require.NoError(t, err)
			c.Name = strings.TrimPrefix(c.Name, "__Host-")
			_, err = f.auth.Session(request(c, hubSession), false)
			require.ErrorIs(t, err, hubauth.ErrSignedOut, "a cookie that others can set counts nothing")
		}
	}
}

func TestLoginBeginsWithANavigationOnly(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		mode, dest string
		begins     bool
	}{
		"a page":                      {"navigate", "document", true},
		"a browser that does not say": {"", "", true},
		"a picture":                   {"no-cors", "image", false},
		"a script":                    {"cors", "empty", false},
		"a frame":                     {"navigate", "iframe", false},
		"a script of a browser that says no more": {"cors", "", false},
		"a script's own":     {"same-origin", "empty", false},
		"a prefetch by link": {"no-cors", "empty", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setUp(t)
			r := httptest.NewRequest("GET", prefix, nil)
			r.Header.Set("Sec-Fetch-Mode", test.mode)
			r.Header.Set("Sec-Fetch-Dest", test.dest)
			w := httptest.NewRecorder()
			err := f.auth.Login(w, r, "")
			if test.begins {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, hubauth.ErrSignedOut)
			require.Empty(t, w.Result().Cookies())
		})
	}
}

func TestLoginKeepsThreeAndTheLatest(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	var kept []*http.Cookie // as a browser keeps them, the oldest first
	var states []url.Values
	for range 8 {
		w := httptest.NewRecorder()
		require.NoError(t, f.auth.Login(w, request(append(kept, hubSession)...), ""))
		at, err := url.Parse(w.Header().Get("Location"))
		require.NoError(t, err)
		states = append(states, url.Values{"state": at.Query()["state"], "code": {"c"}})
		for _, c := range w.Result().Cookies() {
			kept = slices.DeleteFunc(kept, func(old *http.Cookie) bool { return old.Name == c.Name })
			if c.MaxAge > 0 {
				kept = append(kept, c)
			}
		}
		require.LessOrEqual(t, len(kept), 3)
	}
	for i, asked := range states {
		_, _, err := f.callback(asked, kept...)
		if i < 5 {
			require.ErrorIs(t, err, hubauth.ErrLoginState)
			continue
		}
		require.NoError(t, err, "the last three")
	}
}
