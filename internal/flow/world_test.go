package flow_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/hub"
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

var caller = flow.Caller{User: userName, HubToken: secret.New(hubToken)}

func newWorld(t *testing.T, adjust ...func(*flow.Options)) *world {
	t.Helper()
	w := &world{t: t, ctx: t.Context(), now: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC), log: &syncBuffer{}, audit: &auditLog{}}
	w.github = newFakeGitHub(w.clock)
	w.hub = newFakeHub()
	w.servers = &fakeServers{content: map[string]string{}}
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
	return w.now
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

// hooks runs a function in the middle of a call, once: what another tab or
// process does meanwhile, without a race in the test.
type hooks struct {
	mu sync.Mutex
	at map[string]func()
}

func (h *hooks) during(call string, f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.at == nil {
		h.at = map[string]func(){}
	}
	h.at[call] = f
}

func (h *hooks) hit(call string) {
	h.mu.Lock()
	f := h.at[call]
	delete(h.at, call)
	h.mu.Unlock()
	if f != nil {
		f()
	}
}

type fakeGitHub struct {
	hooks
	clock     func() time.Time
	life      time.Duration
	interval  time.Duration
	poll      func(n int) (flow.PollResult, error)
	account   func() (flow.Account, error)
	access    func() (flow.Access, error)
	revoke    func(token string) error
	polls     []time.Time
	codes     int
	accesses  int
	revoked   []string
	tokenLife time.Duration
}

func newFakeGitHub(clock func() time.Time) *fakeGitHub {
	g := &fakeGitHub{clock: clock, life: 15 * time.Minute, interval: 5 * time.Second, tokenLife: 8 * time.Hour}
	g.poll = func(int) (flow.PollResult, error) { return flow.PollResult{Outcome: flow.StillPending}, nil }
	g.account = func() (flow.Account, error) { return flow.Account{ID: 7, Login: "Ada"}, nil }
	g.access = func() (flow.Access, error) {
		return flow.Access{State: flow.AccessReady, Repositories: []flow.Repository{{ID: 1, FullName: "o/r", Push: true}}}, nil
	}
	g.revoke = func(string) error { return nil }
	return g
}

func (g *fakeGitHub) token(value string) flow.Token {
	return flow.Token{
		Access: secret.Store(secret.New(value)), ExpiresAt: g.clock().Add(g.tokenLife),
		Refresh: secret.Store(secret.New(strings.Replace(value, "ghu_", "ghr_", 1))), RefreshExpiresAt: g.clock().Add(4400 * time.Hour),
	}
}

func (g *fakeGitHub) approve(token string) {
	g.poll = func(int) (flow.PollResult, error) {
		g.poll = func(int) (flow.PollResult, error) { return flow.PollResult{Outcome: flow.CodeIncorrect}, nil }
		return flow.PollResult{Outcome: flow.Granted, Token: g.token(token)}, nil
	}
}

func (g *fakeGitHub) DeviceCode(context.Context) (flow.DeviceCode, error) {
	g.codes++
	g.hit("DeviceCode")
	return flow.DeviceCode{DeviceCode: secret.New("device-code-marker"), UserCode: "ABCD-1234",
		VerificationURI: "https://github.test/login/device", ExpiresIn: g.life, Interval: g.interval}, nil
}

func (g *fakeGitHub) PollOnce(ctx context.Context, code secret.String) (flow.PollResult, error) {
	if code.Reveal() != "device-code-marker" {
		return flow.PollResult{}, errors.New("wrong device code")
	}
	g.polls = append(g.polls, g.clock())
	result, err := g.poll(len(g.polls))
	g.hit("PollOnce")
	return result, errors.Join(err, ctx.Err())
}

func (g *fakeGitHub) Account(context.Context, secret.String) (flow.Account, error) {
	g.hit("Account")
	return g.account()
}

func (g *fakeGitHub) Access(context.Context, secret.String) (flow.Access, error) {
	g.accesses++
	g.hit("Access")
	return g.access()
}

func (g *fakeGitHub) Revoke(_ context.Context, token secret.String) error {
	g.hit("Revoke")
	if err := g.revoke(token.Reveal()); err != nil {
		return err
	}
	g.revoked = append(g.revoked, token.Reveal())
	return nil
}

type fakeHub struct {
	hooks
	known   map[string]hub.Server
	tokens  map[string]bool
	err     error
	startOK func(name string) error
	starts  []string
	looks   int
}

func newFakeHub() *fakeHub {
	h := &fakeHub{known: map[string]hub.Server{}, tokens: map[string]bool{hubToken: true}}
	h.startOK = func(name string) error {
		h.spawning(name)
		return nil
	}
	return h
}

func (h *fakeHub) set(name string, ready bool, pending string) {
	h.known[name] = hub.Server{Name: name, Ready: ready, Pending: pending, URL: "/user/ada/" + name}
}
func (h *fakeHub) runs(names ...string) {
	for _, name := range names {
		h.set(name, true, "")
	}
}
func (h *fakeHub) spawning(name string) { h.set(name, false, "spawn") }
func (h *fakeHub) stopped(name string)  { h.set(name, false, "") }

func (h *fakeHub) refuse(token secret.String, user string) error {
	switch {
	case h.err != nil:
		return h.err
	case !h.tokens[token.Reveal()]:
		return hub.ErrUnauthorized
	case user != userName:
		return hub.ErrForbidden
	}
	return nil
}

func (h *fakeHub) Servers(_ context.Context, token secret.String, user string) ([]hub.Server, error) {
	h.looks++
	err := h.refuse(token, user)
	h.hit("Servers")
	if err != nil {
		return nil, err
	}
	var servers []hub.Server
	for _, s := range h.known {
		servers = append(servers, s)
	}
	return servers, nil
}

func (h *fakeHub) StartServer(_ context.Context, token secret.String, user, name string) error {
	if err := h.refuse(token, user); err != nil {
		return err
	}
	h.starts = append(h.starts, name)
	return h.startOK(name)
}

func (h *fakeHub) ServerURL(server hub.Server) (*url.URL, error) {
	return url.Parse("http://proxy.test" + server.URL)
}

// fakeServers are the files in a user's servers.
type fakeServers struct {
	hooks
	content map[string]string
	err     error
	writes  int
	removes int
}

func (s *fakeServers) at(server string) string { return s.content["/user/ada/"+server] }

func (s *fakeServers) Deliver(_ context.Context, target flow.Target, c flow.Credential) (string, error) {
	s.writes++
	if s.err != nil {
		return "", s.err
	}
	s.content[target.URL.Path] = c.Password.Reveal()
	s.hit("Deliver")
	return "terminal", nil
}

func (s *fakeServers) Remove(_ context.Context, target flow.Target) (string, error) {
	s.removes++
	s.hit("Remove")
	if s.err != nil {
		return "", s.err
	}
	delete(s.content, target.URL.Path)
	return "terminal", nil
}

// faultyStore fails when told to; answers says what a Save that was carried out
// answers all the same.
type faultyStore struct {
	flow.Store
	load, save, answer func() error
}

func fault(f func() error) error {
	if f == nil {
		return nil
	}
	return f()
}

func (s *faultyStore) Load(ctx context.Context, name string) (*flow.User, error) {
	if err := fault(s.load); err != nil {
		return nil, err
	}
	return s.Store.Load(ctx, name)
}

func (s *faultyStore) Save(ctx context.Context, user *flow.User) error {
	if err := fault(s.save); err != nil {
		return err
	}
	if err := s.Store.Save(ctx, user); err != nil {
		return err
	}
	return fault(s.answer)
}

// times answers err n times, then nil.
func times(n int, err error) func() error {
	return func() error {
		if n--; n >= 0 {
			return err
		}
		return nil
	}
}

var errStore = errors.New("the disk is full")

type auditLog struct {
	mu     sync.Mutex
	events []flow.Event
}

func (a *auditLog) Record(_ context.Context, event flow.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.events = append(a.events, event)
}

// all are the events of one action.
func (a *auditLog) all(action string) []flow.Event {
	a.mu.Lock()
	defer a.mu.Unlock()
	var found []flow.Event
	for _, event := range a.events {
		if event.Action == action {
			found = append(found, event)
		}
	}
	return found
}

func (a *auditLog) text(t *testing.T) string {
	encoded, err := json.Marshal(a.events)
	require.NoError(t, err)
	return string(encoded)
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
