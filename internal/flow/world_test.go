package flow_test

import (
	"context"
	"log/slog"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/store"
	"github.com/ghscoped/ghscoped-service/internal/store/bolt"
)

// world is everything around an engine: the real store on a real file, and a
// GitHub, a Hub and servers that do as they are told.
type world struct {
	t       *testing.T
	ctx     context.Context
	now     time.Time
	mu      sync.Mutex
	follows bool
	github  *fakeGitHub
	hub     *fakeHub
	servers *fakeServers
	store   *faultyStore
	audit   *auditLog
	log     *syncBuffer
	metrics *prometheus.Registry
	options flow.Options
	*flow.Engine
}

const (
	userName = "ada"
	hubToken = "hub-token-marker"
)

// created is when the Hub of these tests made its users.
const created = "2026-01-05T08:00:00.123456Z"

var caller = browser(userName, hubToken)

// browser is a caller with a session.
func browser(user, token string) flow.Caller {
	return flow.Caller{User: user, Created: created, HubToken: secret.New(token)}
}

// program is a caller in a server of a user.
func program(user, server string) flow.Caller {
	return flow.Caller{User: user, Created: created, HubToken: secret.New(user + "-server-" + server), Program: true, Server: &server}
}

func newWorld(t *testing.T, adjust ...func(*flow.Options)) *world {
	t.Helper()
	w := &world{t: t, ctx: t.Context(), now: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC), log: &syncBuffer{}, audit: &auditLog{}}
	w.github = newFakeGitHub(w.clock)
	w.hub = newFakeHub()
	w.servers = &fakeServers{content: map[string]string{}, hub: w.hub}
	backend, err := bolt.Open(filepath.Join(t.TempDir(), "store.db"), w.clock)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, backend.Close()) })
	keys, err := store.NewKeyring(store.NewKey())
	require.NoError(t, err)
	logger := slog.New(slog.NewTextHandler(w.log, nil))
	w.store = &faultyStore{Store: store.NewUsers(backend, keys, w.clock, logger)}
	web, _ := url.Parse("https://github.test")
	w.options = flow.Options{
		GitHub: w.github, Hub: w.hub, Store: w.store, Audit: w.audit, Deliverer: w.servers,
		GitHubURL: web, Identity: flow.AnyAccount, HubTokenLife: 8 * time.Hour,
		Clock: w.clock, Logger: logger,
	}
	for _, a := range adjust {
		a(&w.options)
	}
	w.restart()
	return w
}

// restart is what a killed and restarted process has: the store, nothing else.
func (w *world) restart() {
	w.metrics = prometheus.NewPedanticRegistry()
	w.options.Registry = w.metrics
	w.Engine = flow.New(w.options)
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.follows {
		return time.Now()
	}
	return w.now
}

// follow lets the engine run by itself, on the time of a synctest bubble. The
// returned function stops it and waits for it.
func (w *world) follow() (stop func()) {
	w.mu.Lock()
	w.follows = true
	w.mu.Unlock()
	ctx, cancel := context.WithCancel(w.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// settle carries out what is due now, and what that makes due.
func (w *world) settle() {
	w.t.Helper()
	for range 50 {
		if w.Advance(w.ctx) == 0 {
			return
		}
	}
	require.Fail(w.t, "something is due again and again")
}

// run lets time pass from one due moment to the next.
func (w *world) run(d time.Duration) {
	w.t.Helper()
	w.runUntil(d, func() bool { return false })
}

func (w *world) runUntil(limit time.Duration, done func() bool) {
	w.t.Helper()
	end := w.clock().Add(limit)
	for {
		w.settle()
		if done() {
			return
		}
		due, err := w.store.Store.NextDue(w.ctx)
		require.NoError(w.t, err)
		if due.IsZero() || due.After(end) {
			break
		}
		w.pass(max(due.Sub(w.clock()), time.Millisecond))
	}
	w.pass(max(0, end.Sub(w.clock())))
}

// User is a record as it is stored.
func (w *world) User(ctx context.Context, name string) (*flow.User, error) {
	return w.store.Load(ctx, name)
}

func (w *world) user() *flow.User {
	w.t.Helper()
	user, err := w.User(w.ctx, userName)
	require.NoError(w.t, err)
	return user
}

func (w *world) state() flow.State {
	w.t.Helper()
	if f := w.user().Flow; f != nil {
		return f.State
	}
	return ""
}

func (w *world) start(servers ...string) {
	w.t.Helper()
	_, created, err := w.Start(w.ctx, caller, flow.Request{Servers: servers})
	require.NoError(w.t, err)
	require.True(w.t, created)
}

// approve makes the next poll bring a token.
func (w *world) approve(token string) { w.github.approve(token) }

// connected is a world in which the default server holds the token.
func connected(t *testing.T, adjust ...func(*flow.Options)) *world {
	t.Helper()
	w := newWorld(t, adjust...)
	w.hub.runs("")
	w.start()
	w.approve("ghu_first")
	w.run(time.Minute)
	require.Equal(t, flow.Connected, w.state())
	require.Equal(t, "ghu_first", w.servers.at(""))
	return w
}

func (w *world) delivery(server string) flow.Delivery {
	w.t.Helper()
	d := w.user().Delivery(server)
	require.NotNil(w.t, d, "no delivery to %q", server)
	return *d
}

func (w *world) metric(name string, labels ...string) float64 {
	w.t.Helper()
	families, err := w.metrics.Gather()
	require.NoError(w.t, err)
	sum := 0.0
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.Metric {
			if hasLabels(m, labels) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

func hasLabels(m *dto.Metric, labels []string) bool {
	for i := 0; i < len(labels); i += 2 {
		found := false
		for _, l := range m.Label {
			found = found || l.GetName() == labels[i] && l.GetValue() == labels[i+1]
		}
		if !found {
			return false
		}
	}
	return true
}
