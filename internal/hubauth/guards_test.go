package hubauth_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/hubauth"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

var errStore = errors.New("the store is away")

// broken is a store that can do nothing but End, or everything else.
type broken struct {
	memory
	onlyEnd bool // fails
}

func (b broken) Create(ctx context.Context, s hubauth.Session) (string, error) {
	if b.onlyEnd {
		return b.memory.Create(ctx, s)
	}
	return "", errStore
}

func (b broken) Session(ctx context.Context, id string) (hubauth.Session, error) {
	if b.onlyEnd {
		return b.memory.Session(ctx, id)
	}
	return hubauth.Session{}, errStore
}

func (b broken) End(ctx context.Context, id string) error {
	if b.onlyEnd {
		return errStore
	}
	return b.memory.End(ctx, id)
}

func TestSessionStoreErrorSignsNobodyOut(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	r := request(f.signIn(t), hubSession)
	f.options.Sessions = broken{memory: f.sessions}
	_, err := hubauth.New(f.options).Session(r, false)
	require.ErrorIs(t, err, errStore)

	f.options.Sessions = broken{memory: f.sessions, onlyEnd: true}
	f.now = f.now.Add(9 * time.Hour)
	_, err = hubauth.New(f.options).Session(r, false)
	require.ErrorIs(t, err, errStore, "a session that could not be ended")
	require.Empty(t, f.ended)
}

func TestSessionForgottenByTheStoreIsSignedOut(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	r := request(f.signIn(t), hubSession)
	clear(f.sessions)
	_, err := f.auth.Session(r, false)
	require.ErrorIs(t, err, hubauth.ErrSignedOut)
}

func TestSessionEndsWithoutAnybodyToNotify(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	r := request(f.signIn(t), hubSession)
	f.options.Ended = nil
	f.now = f.now.Add(9 * time.Hour)
	_, err := hubauth.New(f.options).Session(r, false)
	require.ErrorIs(t, err, hubauth.ErrSignedOut)
	require.Empty(t, f.sessions)
}

func TestSessionHubErrorIsNotCached(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	r := request(f.signIn(t), hubSession)
	f.now = f.now.Add(time.Minute)
	working := f.whoami
	f.whoami = func() (hub.User, error) { return hub.User{}, &hub.UnavailableError{Err: errors.New("503")} }
	_, err := f.auth.Session(r, false)
	require.ErrorContains(t, err, "503")
	f.whoami = working
	_, err = f.auth.Session(r, false)
	require.NoError(t, err)
}

func TestLoginIsNotCachedByTheBrowser(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	w := httptest.NewRecorder()
	require.NoError(t, f.auth.Login(w, request(), ""))
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
}

// A login that has its answer is over, whatever the answer.
func TestCallbackForgetsTheLogin(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]url.Values{
		"signed in": {"code": {"c"}},
		"declined":  {"error": {"access_denied"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setUp(t)
			asked, cookie := f.login(t, "")
			answer["state"] = asked["state"]
			w, _, _ := f.callback(answer, cookie)
			forgotten := w.Result().Cookies()[0]
			require.Equal(t, cookie.Name, forgotten.Name)
			require.Negative(t, forgotten.MaxAge)
		})
	}
}

func TestCallbackMakesNoSession(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(f *fixture)
		want   error
	}{
		"for a token of no user": {func(f *fixture) {
			f.whoami = func() (hub.User, error) { return hub.User{Kind: "service", Name: "ada", SessionID: "s1"}, nil }
		}, hubauth.ErrNoAccess},
		"for a token that the Hub does not know": {func(f *fixture) {
			f.whoami = func() (hub.User, error) { return hub.User{}, hub.ErrUnauthorized }
		}, hub.ErrUnauthorized},
		"where the store cannot keep it": {func(f *fixture) { f.options.Sessions = broken{} }, errStore},
		"without the service's own token": {func(f *fixture) {
			f.options.ClientSecret = func() (secret.String, error) { return secret.String{}, errStore }
		}, errStore},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setUp(t)
			test.change(f)
			f.auth = hubauth.New(f.options)
			asked, cookie := f.login(t, "")
			w, _, err := f.callback(url.Values{"state": asked["state"], "code": {"c"}}, cookie)
			require.ErrorIs(t, err, test.want)
			require.Empty(t, f.sessions)
			for _, set := range w.Result().Cookies() {
				require.NotContains(t, set.Name, "-session")
			}
		})
	}
}

// What the Hub refuses is told apart from a Hub that is away or busy: then the
// login is still open.
func TestCallbackExchangeAnswer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status int
		body   string
		denied string // empty: the Hub is away
	}{
		"a code that is spent":      {http.StatusBadRequest, `{"error":"invalid_grant"}`, "invalid_grant"},
		"a refusal without a code":  {http.StatusForbidden, `Forbidden`, "status 403"},
		"too many requests":         {http.StatusTooManyRequests, `{"error":"slow_down"}`, ""},
		"an error of the Hub":       {http.StatusInternalServerError, `{"error":"server_error"}`, ""},
		"the last of the refusals":  {499, ``, "status 499"},
		"an answer without a token": {http.StatusOK, `{}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setUp(t)
			f.token = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			}
			asked, cookie := f.login(t, "")
			w, _, err := f.callback(url.Values{"state": asked["state"], "code": {"c"}}, cookie)
			denied, is := errors.AsType[*hubauth.DeniedError](err)
			require.Equal(t, test.denied != "", is)
			if is {
				require.Equal(t, test.denied, denied.Code)
				return
			}
			_, away := errors.AsType[*hub.UnavailableError](err)
			require.True(t, away)
			require.Empty(t, w.Result().Cookies(), "the login is still open")
		})
	}
}

// silent never answers.
type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestCallbackWaits15SecondsForTheHub(t *testing.T) {
	t.Parallel()
	f := setUp(t) // outside, since the bubble's time stands still while its listener waits
	synctest.Test(t, func(t *testing.T) {
		f.options.HTTP = &http.Client{Transport: silent{}}
		f.auth = hubauth.New(f.options)
		asked, cookie := f.login(t, "")
		began := time.Now()
		_, _, err := f.callback(url.Values{"state": asked["state"], "code": {"c"}}, cookie)
		_, away := errors.AsType[*hub.UnavailableError](err)
		require.True(t, away)
		require.Equal(t, 15*time.Second, time.Since(began))
	})
}

// What the Hub says last about a token that it has known for less than a minute
// counts, even where no further token is remembered.
func TestHolderRemembersTheLastAnswer(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	for i := range 4096 {
		_, _, err := f.asks(strings.Repeat("t", i+1), false)
		require.NoError(t, err)
	}
	was := f.whoami
	f.whoami = func() (hub.User, error) {
		user, err := was()
		user.Groups = []string{"staff"}
		return user, err
	}
	_, _, err := f.asks("t", true)
	require.NoError(t, err)
	user, asked, err := f.asks("t", false)
	require.NoError(t, err)
	require.Zero(t, asked)
	require.Equal(t, []string{"staff"}, user.Groups)
}

func TestOwn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		own    string
		err    error
		header string
		want   error
	}{
		"the service's token":                      {own: "service-token", header: "Bearer service-token"},
		"another token":                            {own: "service-token", header: "Bearer other", want: hubauth.ErrSignedOut},
		"no token":                                 {own: "service-token", want: hubauth.ErrSignedOut},
		"no token, where the service has none":     {want: hubauth.ErrSignedOut},
		"where the service's token cannot be read": {err: errStore, header: "Bearer service-token", want: errStore},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setUp(t)
			f.options.ClientSecret = func() (secret.String, error) { return secret.New(test.own), test.err }
			r := request()
			r.Header.Set("Authorization", test.header)
			require.ErrorIs(t, hubauth.New(f.options).Own(r), test.want)
		})
	}
}

// A stream of events stays open as long as the credentials that it was opened
// with are valid, and no longer.
func TestAgain(t *testing.T) {
	t.Parallel()
	program := request()
	program.Header.Set("Authorization", "Bearer hub-token")
	for name, test := range map[string]struct {
		program bool
		end     func(f *fixture)
		want    error
	}{
		"a session that ended": {end: func(f *fixture) { clear(f.sessions) }, want: hubauth.ErrSignedOut},
		"a session whose token the Hub does not know any more": {end: func(f *fixture) {
			f.whoami = func() (hub.User, error) { return hub.User{}, hub.ErrUnauthorized }
		}, want: hubauth.ErrSignedOut},
		"a token that the Hub does not know any more": {program: true, end: func(f *fixture) {
			f.whoami = func() (hub.User, error) { return hub.User{}, hub.ErrUnauthorized }
		}, want: hubauth.ErrSignedOut},
		"a token that has lost its scope": {program: true, end: func(f *fixture) {
			f.whoami = func() (hub.User, error) { return hub.User{Kind: "user", Name: "ada"}, nil }
		}, want: hubauth.ErrNoAccess},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setUp(t)
			r := program
			if !test.program {
				r = request(f.signIn(t), hubSession)
			}
			gone, cancel := context.WithCancel(r.Context())
			cancel()
			again := f.auth.Again(r.WithContext(gone))

			f.now = f.now.Add(time.Minute)
			require.NoError(t, again(t.Context()))
			f.now = f.now.Add(time.Minute)
			test.end(f)
			require.ErrorIs(t, again(t.Context()), test.want)
		})
	}
}
