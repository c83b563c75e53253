package server_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/server"
)

// changing is a store that another process writes to, or that goes away, between
// two looks at it.
type changing struct {
	flow.Store
	loads []func(*flow.User) error // what happens at each of the first looks; nil: nothing
}

func (c *changing) Load(ctx context.Context, name string) (*flow.User, error) {
	user, err := c.Store.Load(ctx, name)
	if err == nil && len(c.loads) > 0 {
		if c.loads[0] != nil {
			err = c.loads[0](user)
		}
		c.loads = c.loads[1:]
	}
	return user, err
}

// connection is one that was looked at long ago.
func connection(servers ...string) *flow.Connection {
	return &flow.Connection{
		Account: github.Account{ID: 1, Login: "octocat"}, Servers: servers, CheckedAt: time.Now().Add(-time.Hour),
		Token:  github.Token{Access: secret.Store(secret.New(token)), ExpiresAt: time.Now().Add(time.Hour)},
		Access: github.Access{State: github.AccessReady, Repositories: []github.Repository{{FullName: "octocat/one", Push: true}}},
	}
}

func TestGetConnectionHasTheTokenCheckedForPrograms(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	ada := f.signIn("ada")
	require.NoError(t, f.users.Save(t.Context(), &flow.User{Name: "ada", Created: created, Connection: connection("")}))
	due := func() bool {
		user, err := f.users.Load(t.Context(), "ada")
		require.NoError(t, err)
		return user.Due().Before(user.Connection.Token.ExpiresAt)
	}
	require.Equal(t, http.StatusOK, ada.do(http.MethodGet, "api/connection", nil, nil).StatusCode)
	require.False(t, due(), "a page has it done by itself")
	require.Equal(t, http.StatusOK, f.program(http.MethodGet, "api/connection", "server-ada", "").StatusCode)
	require.True(t, due())
}

func TestGetConnectionBesideAnotherWriter(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		loads  []func(*flow.User) error
		status int
	}{
		"a store that is away for a moment": {[]func(*flow.User) error{func(*flow.User) error { return errAway }}, http.StatusServiceUnavailable},
		"a server that is not chosen any more": {[]func(*flow.User) error{nil, func(user *flow.User) error {
			user.Connection.Servers = []string{"joint"}
			return nil
		}}, http.StatusForbidden},
		"nothing": {nil, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setUp(t)
			user := &flow.User{Name: "ada", Created: created, Connection: connection("")}
			user.Connection.CheckedAt = time.Now()
			require.NoError(t, f.users.Save(t.Context(), user))
			f.change(func(o *flow.Options) { o.Store = &changing{f.users, test.loads} })
			response := f.program(http.MethodGet, "api/connection", "server-ada", "")
			require.Equal(t, test.status, response.StatusCode)
		})
	}
}

func TestGetConnectionSaysWhatThereIs(t *testing.T) {
	t.Parallel()
	f := setUp(t, func(_ *fixture, options *server.Options) { options.GitIdentity = true })
	ada := f.signIn("ada")
	user := &flow.User{Name: "ada", Created: created, Connection: connection("lab"), Deliveries: []flow.Delivery{
		{Server: "lab", State: flow.DeliveryDelivered, Method: "kernel"},
	}}
	require.NoError(t, f.users.Save(t.Context(), user))
	body := read(t, ada.do(http.MethodGet, "api/connection", nil, nil))
	require.Contains(t, body, `"repositories":[{"full_name":"octocat/one","push":true}]`)
	require.Contains(t, body, `"deliveries":[{"server":"lab","state":"delivered","method":"kernel"}]`)
	require.Contains(t, body, `"servers":["lab"]`)
	require.Contains(t, body, `"git":{"name":"octocat","email":"1+octocat@users.noreply.`)

	user.Connection.AnyServer = true
	require.NoError(t, f.users.Save(t.Context(), user))
	require.NotContains(t, read(t, ada.do(http.MethodGet, "api/connection", nil, nil)), `"servers"`)
}

func TestWritesTakeOnlyWhatIsDescribed(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	ada := f.signIn("ada")
	f.connect(ada)
	page := ownPage(ada)
	for _, path := range []string{"api/deliveries", "api/flows"} {
		for _, body := range []string{`{"x":1}`, `{`, `{}{}`, `{}}`, `{}]`, `{},`, `{} x`, `{}""`, "{}\x00", `[]`} {
			response := ada.do(http.MethodPost, path, strings.NewReader(body), page)
			require.Equal(t, "bad_request", code(t, response), path+" "+body)
		}
	}
}

// queues is a deliverer by whose being there deliveries are queued.
type queues struct{ flow.Deliverer }

func TestPostDeliveryNamesServersAndStartsThemOnlyWhereItMay(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		body     string
		canStart bool
		server   string
		starts   bool
	}{
		"the default server": {`{}`, true, "", false},
		"one server":         {`{"server":"lab"}`, true, "lab", false},
		"a list":             {`{"servers":["lab"]}`, true, "lab", false},
		"to be started":      {`{"server":"lab","start":true}`, true, "lab", true},
		"which the Hub bars": {`{"server":"lab","start":true}`, false, "lab", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setUp(t, func(_ *fixture, options *server.Options) { options.CanStart, options.Pull = test.canStart, false })
			ada := f.signIn("ada")
			require.NoError(t, f.users.Save(t.Context(), &flow.User{Name: "ada", Created: created, Connection: connection()}))
			f.change(func(o *flow.Options) { o.Deliverer = queues{} })
			response := ada.do(http.MethodPost, "api/deliveries", strings.NewReader(test.body), ownPage(ada))
			require.Equal(t, http.StatusAccepted, response.StatusCode)
			user, err := f.users.Load(t.Context(), "ada")
			require.NoError(t, err)
			require.Len(t, user.Deliveries, 1)
			require.Equal(t, test.server, user.Deliveries[0].Server)
			require.Equal(t, test.starts, user.Deliveries[0].Start)
		})
	}
}

func TestFormsStartServersOnlyWhereTheyMay(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		form     string
		canStart bool
		starts   bool
	}{
		"deliver": {"deliver", true, false}, "start": {"start", true, true}, "start, which the Hub bars": {"start", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setUp(t, func(_ *fixture, options *server.Options) { options.CanStart, options.Pull = test.canStart, false })
			ada := f.signIn("ada")
			require.NoError(t, f.users.Save(t.Context(), &flow.User{Name: "ada", Created: created, Connection: connection()}))
			f.change(func(o *flow.Options) { o.Deliverer = queues{} })
			require.Equal(t, http.StatusSeeOther, ada.postForm(test.form, url.Values{"server": {"lab"}}).StatusCode)
			user, err := f.users.Load(t.Context(), "ada")
			require.NoError(t, err)
			require.Equal(t, test.starts, user.Deliveries[0].Start)
		})
	}
}

func TestOpenAPIIsYAML(t *testing.T) {
	t.Parallel()
	require.Equal(t, "application/yaml", setUp(t).browser().do(http.MethodGet, "api/openapi.yaml", nil, nil).Header.Get("Content-Type"))
}

// fullStore is a store that takes no change.
type fullStore struct{ flow.Store }

func (fullStore) Save(context.Context, *flow.User) error { return errAway }

func TestAdminIsToldThatADisconnectFailed(t *testing.T) {
	t.Parallel()
	f := withBots(t)
	require.NoError(t, f.users.Save(t.Context(), &flow.User{Name: "ada", Created: created, Connection: connection("")}))
	grace := f.signIn("grace")
	f.change(func(o *flow.Options) { o.Store = fullStore{f.users} })
	for _, path := range []string{"admin/disconnect", "admin/disconnect-all"} {
		require.Equal(t, http.StatusServiceUnavailable, grace.postForm(path, url.Values{"user": {"ada"}}).StatusCode, path)
	}
}

func TestAdminPageNamesServers(t *testing.T) {
	t.Parallel()
	f := withBots(t)
	require.NoError(t, f.users.Save(t.Context(), &flow.User{Name: "ada", Created: created, Connection: connection("lab"), Deliveries: []flow.Delivery{
		{Server: "the-lab", State: flow.DeliveryDelivered},
	}}))
	require.Contains(t, read(t, f.signIn("grace").do(http.MethodGet, "admin", nil, nil)), "the-lab")
}

func TestCallbackTakesUpWhatWaitedForTheUser(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	f.change(func(o *flow.Options) { o.Deliverer = queues{} })
	require.NoError(t, f.users.Save(t.Context(), &flow.User{Name: "ada", Created: created, Connection: connection("lab"), Deliveries: []flow.Delivery{
		{Server: "lab", State: flow.DeliveryWaiting},
	}}))
	b := f.browser()
	at, err := b.do(http.MethodGet, "", nil, nil).Location()
	require.NoError(t, err)
	require.Equal(t, http.StatusFound, b.do(http.MethodGet, "oauth_callback?code=ada&state="+at.Query().Get("state"), nil, nil).StatusCode)
	user, err := f.users.Load(t.Context(), "ada")
	require.NoError(t, err)
	require.False(t, user.Deliveries[0].Due.IsZero())
	require.Equal(t, "hub-ada", user.HubToken.Reveal())
}

func TestRoutesAnswerAnAddressWithNothingBehindIt(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	response := f.browser().do(http.MethodGet, "nowhere", nil, nil)
	require.Equal(t, http.StatusNotFound, response.StatusCode)
	require.Contains(t, read(t, response), "not_found")
	answer := httptest.NewRecorder()
	f.handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, prefix+"api/nowhere", nil))
	require.Equal(t, "not_found", code(t, answer.Result()))
}

func TestMetricsCountStreams(t *testing.T) {
	t.Parallel()
	require.Contains(t, read(t, setUp(t).program(http.MethodGet, "metrics", "prometheus", "")), "ghscoped_event_streams 0")
}

func TestFormConnectWhereThereIsNoWebFlow(t *testing.T) {
	t.Parallel()
	response := setUp(t).signIn("ada").postForm("connect", url.Values{"mode": {"web"}})
	require.Equal(t, http.StatusNotFound, response.StatusCode)
	require.Contains(t, read(t, response), "no_web_flow")
}

func TestGetConnectionSaysWhetherItIsProlonged(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		refresh   bool
		token     string
		failed    *apierror.Error
		refreshed bool
	}{
		"it is":            {true, "ghr_1", nil, true},
		"not configured":   {false, "ghr_1", nil, false},
		"no refresh token": {true, "", nil, false},
		"it has failed":    {true, "ghr_1", &apierror.Error{Code: apierror.CodeRefreshFailed}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setUp(t, func(_ *fixture, o *server.Options) { o.Refresh = test.refresh })
			ada := f.signIn("ada")
			user := &flow.User{Name: "ada", Created: created, Connection: connection("")}
			user.Connection.Token.Refresh, user.Connection.RefreshError = secret.Store(secret.New(test.token)), test.failed
			require.NoError(t, f.users.Save(t.Context(), user))
			body := read(t, ada.do(http.MethodGet, "api/connection", nil, nil))
			require.Equal(t, test.refreshed, strings.Contains(body, `"refreshed":true`), body)
		})
	}
}
