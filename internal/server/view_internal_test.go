package server

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/hubauth"
	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/web"
)

// chosenHub gives the answers that a test chooses.
type chosenHub struct {
	servers  []hub.Server
	shares   map[string][]string
	err      error // of both
	deadline time.Duration
}

func (h *chosenHub) Servers(ctx context.Context, _ secret.String, _ string) ([]hub.Server, error) {
	at, _ := ctx.Deadline()
	h.deadline = time.Until(at)
	return h.servers, h.err
}

func (h *chosenHub) Shares(context.Context, secret.String, string) (map[string][]string, error) {
	return h.shares, h.err
}

// record is a store of one user.
type record struct {
	flow.Store
	user *flow.User
}

func (r record) Load(context.Context, string) (*flow.User, error) { return r.user, nil }

const madeAt = "2026-01-05T08:00:00.123456Z"

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// viewed is ada's page of a record.
func viewed(t *testing.T, user flow.User, of *chosenHub, change func(*Options)) web.View {
	t.Helper()
	user.Name, user.Created = "ada", madeAt
	clock := func() time.Time { return noon }
	options := Options{
		Hub: of, Clock: clock, Logger: slog.New(slog.DiscardHandler),
		Flows: flow.New(flow.Options{Registry: prometheus.NewRegistry(), Store: record{user: &user}, Clock: clock, Logger: slog.New(slog.DiscardHandler)}),
	}
	if change != nil {
		change(&options)
	}
	s := serverOf(options)
	view, err := s.view(t.Context(), hubauth.Session{User: "ada", Holder: hub.User{
		Kind: "user", Name: "ada", Created: madeAt, Scopes: []string{"read:shares!user=ada", "custom:admin"},
	}})
	require.NoError(t, err)
	return view
}

func TestViewOfAFlow(t *testing.T) {
	t.Parallel()
	lab := "lab"
	connection := &flow.Connection{}
	long := noon.Add(-time.Hour - time.Second)
	for name, test := range map[string]struct {
		user   flow.User
		state  web.State
		asking *string
	}{
		"nobody began one":     {flow.User{}, web.None, nil},
		"under way":            {flow.User{Flow: &flow.Flow{State: flow.Pending}}, web.Pending, nil},
		"of a program":         {flow.User{Flow: &flow.Flow{State: flow.Pending, Program: &lab}}, web.None, &lab},
		"of a program, ended":  {flow.User{Flow: &flow.Flow{State: flow.Denied, Program: &lab, ExpiresAt: noon}}, web.State(flow.Denied), nil},
		"ended an hour ago":    {flow.User{Flow: &flow.Flow{State: flow.Denied, ExpiresAt: long.Add(time.Second)}}, web.State(flow.Denied), nil},
		"ended long ago":       {flow.User{Flow: &flow.Flow{State: flow.Denied, ExpiresAt: long}}, web.None, nil},
		"begun long ago":       {flow.User{Flow: &flow.Flow{State: flow.Pending, ExpiresAt: long}}, web.Pending, nil},
		"ended, but connected": {flow.User{Flow: &flow.Flow{State: flow.Denied, ExpiresAt: long}, Connection: connection}, web.State(flow.Denied), nil},
		"connected":            {flow.User{Connection: connection}, web.Connected, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			view := viewed(t, test.user, &chosenHub{}, nil)
			require.Equal(t, test.state, view.State)
			require.Equal(t, test.asking, view.Asking)
			require.Equal(t, test.user.Connection != nil, view.Connection != nil)
			require.Equal(t, "ada", view.User)
			require.Equal(t, noon, view.Now)
		})
	}
}

func TestViewOfARefresh(t *testing.T) {
	t.Parallel()
	refresh := func(options *Options) { options.Refresh = true }
	failed := &flow.Connection{RefreshError: &apierror.Error{Code: "x"}}
	require.True(t, viewed(t, flow.User{Connection: &flow.Connection{}}, &chosenHub{}, refresh).Refresh)
	require.False(t, viewed(t, flow.User{Connection: failed}, &chosenHub{}, refresh).Refresh)
	require.False(t, viewed(t, flow.User{Connection: &flow.Connection{}}, &chosenHub{}, nil).Refresh)
}

func TestViewOfAnAccount(t *testing.T) {
	t.Parallel()
	require.Equal(t, "octocat", viewed(t, flow.User{Flow: &flow.Flow{State: flow.Pending, Account: &github.Account{Login: "octocat"}}}, &chosenHub{}, nil).Flow.Unconfirmed)

	ada := flow.User{Connection: &flow.Connection{Account: github.Account{ID: 7, Login: "ada", Name: "Ada"}}}
	named := func(options *Options) {
		options.GitIdentity, options.GitHubURL = true, &url.URL{Scheme: "https", Host: "github.com"}
	}
	require.Equal(t, "Ada <7+ada@users.noreply.github.com>", viewed(t, ada, &chosenHub{}, named).Connection.Author)
	require.Empty(t, viewed(t, ada, &chosenHub{}, nil).Connection.Author, "where it is switched off")
	require.Empty(t, viewed(t, flow.User{Connection: &flow.Connection{}}, &chosenHub{}, named).Connection.Author, "nothing known")

	app, _ := url.Parse("https://github.com/apps/hub")
	added := viewed(t, flow.User{Connection: &flow.Connection{}}, &chosenHub{}, func(options *Options) { options.AppURL = app })
	require.Equal(t, "https://github.com/apps/hub/installations/new", added.Connection.AddURL)
	require.Empty(t, viewed(t, flow.User{Connection: &flow.Connection{}}, &chosenHub{}, nil).Connection.AddURL)
}

func TestViewOfAnAdmin(t *testing.T) {
	t.Parallel()
	require.True(t, viewed(t, flow.User{}, &chosenHub{}, func(o *Options) { o.AdminScope = "custom:admin" }).Admin)
	require.False(t, viewed(t, flow.User{}, &chosenHub{}, nil).Admin)
}

func TestViewOfServers(t *testing.T) {
	t.Parallel()
	listed := []hub.Server{
		{Name: "lab", Ready: true, URL: "/user/ada/lab/"}, {Name: "", Pending: "spawn"}, {Name: "off"},
	}
	pull := func(options *Options) { options.Pull, options.CanStart = true, true }
	start := func(options *Options) { options.CanStart = true }
	delivered := flow.Delivery{Server: "lab", State: flow.DeliveryDelivered, Method: "kernel", Progress: "p", Error: &apierror.Error{Code: "c"}}
	for name, test := range map[string]struct {
		user   flow.User
		change func(*Options)
		want   []web.Server
	}{
		"to deliver to": {flow.User{Deliveries: []flow.Delivery{delivered, {Server: "gone", State: flow.DeliveryDelivered}}}, start, []web.Server{
			{State: web.ServerNone},
			{Name: "gone", State: web.ServerDelivered},
			{Name: "lab", State: web.ServerDelivered, Running: true, URL: "/user/ada/lab/", Method: "kernel", Progress: "p",
				Problem: &web.Problem{Code: "c"}, Shared: []string{"eve"}},
			{Name: "off", State: web.ServerNone, CanStart: true},
		}},
		"that may not be started": {flow.User{}, nil, []web.Server{
			{State: web.ServerNone}, {Name: "lab", State: web.ServerNone, Running: true, URL: "/user/ada/lab/", Shared: []string{"eve"}}, {Name: "off", State: web.ServerNone},
		}},
		"that ask, without a connection": {flow.User{}, pull, []web.Server{
			{State: web.ServerNone}, {Name: "lab", State: web.ServerNone, Running: true, URL: "/user/ada/lab/", Shared: []string{"eve"}}, {Name: "off", State: web.ServerNone},
		}},
		"that ask, chosen": {flow.User{Connection: &flow.Connection{Servers: []string{"lab", "gone"}}}, pull, []web.Server{
			{State: web.ServerNone, CanAllow: true},
			{Name: "gone", State: web.ServerAllowed},
			{Name: "lab", State: web.ServerAllowed, Running: true, URL: "/user/ada/lab/", CanAllow: true, Shared: []string{"eve"}},
			{Name: "off", State: web.ServerNone, CanAllow: true},
		}},
		"that ask, any": {flow.User{Connection: &flow.Connection{AnyServer: true}}, pull, []web.Server{
			{State: web.ServerAllowed}, {Name: "lab", State: web.ServerAllowed, Running: true, URL: "/user/ada/lab/", Shared: []string{"eve"}}, {Name: "off", State: web.ServerAllowed},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			of := &chosenHub{servers: listed, shares: map[string][]string{"lab": {"eve"}, "unknown": {"eve"}}}
			view := viewed(t, test.user, of, test.change)
			require.Equal(t, test.want, view.Servers)
			require.Nil(t, view.Problem)
			require.LessOrEqual(t, of.deadline, serversLimit)
			require.Positive(t, of.deadline)
		})
	}
}

func TestViewWithoutTheHubsList(t *testing.T) {
	t.Parallel()
	away := &chosenHub{err: &hub.UnavailableError{Err: errors.New("503")}}
	for name, change := range map[string]func(*Options){
		"to deliver to": func(options *Options) { options.CanStart = true },
		"that ask":      func(options *Options) { options.Pull, options.CanStart = true, true },
	} {
		view := viewed(t, flow.User{}, away, change)
		require.Equal(t, "hub_unavailable", view.Problem.Code, name)
		require.Len(t, view.Servers, 1, "the default server")
		require.Equal(t, name == "to deliver to", view.Servers[0].CanStart, name)
	}

	forbidden := &chosenHub{err: hub.ErrForbidden}
	view := viewed(t, flow.User{Deliveries: []flow.Delivery{{Server: "lab"}}}, forbidden, nil)
	require.Equal(t, "hub_refused", view.Problem.Code)
	require.Len(t, view.Servers, 2)
	require.False(t, view.Servers[0].CanStart)
	view = viewed(t, flow.User{}, forbidden, func(options *Options) { options.Pull = true })
	require.Nil(t, view.Problem, "not needed where each server may ask")
	require.Empty(t, view.Servers)
}

func TestSharesAreAskedForByWhoMaySeeThem(t *testing.T) {
	t.Parallel()
	s := serverOf(Options{Hub: &chosenHub{shares: map[string][]string{"": {"eve"}}}, Logger: slog.New(slog.DiscardHandler)})
	require.Empty(t, s.shares(t.Context(), hubauth.Session{Holder: hub.User{Name: "ada"}}))
	require.NotEmpty(t, s.shares(t.Context(), hubauth.Session{Holder: hub.User{Name: "ada", Scopes: []string{"shares"}}}))
}

func TestFlowEvent(t *testing.T) {
	t.Parallel()
	event := func(f *flow.Flow) (string, error) {
		user := &flow.User{Name: "ada", Created: madeAt, Version: 7, Flow: f}
		s := serverOf(Options{Flows: flow.New(flow.Options{Registry: prometheus.NewRegistry(), Store: record{user: user}, Clock: func() time.Time { return noon }})})
		said, err := s.flowEvent(t.Context(), flow.Caller{User: "ada", Created: madeAt})
		return string(said), err
	}
	said, err := event(nil)
	require.NoError(t, err)
	require.Equal(t, "id: 7\ndata: {}\n\n", said)
	said, err = event(&flow.Flow{State: flow.Pending})
	require.NoError(t, err)
	require.Regexp(t, `^id: 7\ndata: \{.*"state":"pending".*\}\n\n$`, said)
	_, err = event(&flow.Flow{ExpiresAt: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)})
	require.Error(t, err, "no JSON holds such a year")
}

func TestEventHead(t *testing.T) {
	t.Parallel()
	h := http.Header{"X-Frame-Options": {"DENY"}}
	head := serverOf(Options{Clock: func() time.Time { return noon }}).eventHead(h)
	require.Equal(t, "HTTP/1.1 200 OK\r\nConnection: close\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\nX-Frame-Options: DENY\r\n\r\n", string(head))
}

func TestViewNamesRepositories(t *testing.T) {
	t.Parallel()
	user := flow.User{Connection: &flow.Connection{Access: github.Access{Repositories: []github.Repository{{FullName: "octocat/one", Push: true}}}}}
	require.Equal(t, []web.Repository{{FullName: "octocat/one", Push: true}}, viewed(t, user, &chosenHub{}, nil).Connection.Repositories)
}

func TestSharesThatTheHubDoesNotSayAreLogged(t *testing.T) {
	t.Parallel()
	for _, err := range []error{nil, errors.New("the Hub is away")} {
		var log bytes.Buffer
		s := serverOf(Options{Hub: &chosenHub{err: err}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		s.shares(t.Context(), hubauth.Session{Holder: hub.User{Name: "ada", Scopes: []string{"shares"}}})
		require.Equal(t, err != nil, log.Len() > 0)
	}
}
