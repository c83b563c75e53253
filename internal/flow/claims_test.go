package flow_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/store"
	"github.com/ghscoped/ghscoped-service/internal/store/bolt"
	"github.com/ghscoped/ghscoped-service/internal/store/redis"
	"github.com/ghscoped/ghscoped-service/internal/store/redistest"
)

const (
	// claimUsers is how many there are, and claimUsersShort with -short, where the
	// test takes seconds instead of minutes.
	claimUsers, claimUsersShort = 1000, 100
	// atOnce is how many of them are there at once: so few that none waits for a
	// worker, and commands meet steps under way.
	atOnce = 100
	// claimLimit bounds the test, not the machine: it passes or fails by what is
	// in the records.
	claimLimit = 9 * time.Minute
)

// A claim that its holder does not end makes its user wait until it runs out.
// This is 1,000 users, a clock that runs and an outside that takes its time, with
// commands between a claim and its end.
func TestClaimEndsWithItsStep(t *testing.T) {
	t.Parallel()
	for name, backends := range map[string]func(t *testing.T) []store.Backend{
		"bolt": func(t *testing.T) []store.Backend {
			backend, err := bolt.Open(filepath.Join(t.TempDir(), "store.db"), time.Now)
			require.NoError(t, err)
			return []store.Backend{backend}
		},
		"two engines on Redis": func(t *testing.T) (backends []store.Backend) {
			server := redistest.Start(t, redistest.Redis)
			for range 2 {
				backend, err := redis.Open(server.URL(""), time.Now, slog.New(slog.DiscardHandler))
				require.NoError(t, err)
				backends = append(backends, backend)
			}
			return backends
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCrowd(t, backends(t))
			c.live(t)
			t.Logf("approved to connected: %s", figures(c.connected))
			t.Logf("disconnected to revoked: %s", figures(c.revoked))
			require.Empty(t, c.claims.left, "a step ended and left its claim")
			// One that has just been taken is not noted yet; one that nobody holds
			// stands for longer than this.
			require.Eventually(t, func() bool { return c.claimed(t) == 0 }, flow.Hold/2, 10*time.Millisecond, "claims that nobody holds")
		})
	}
}

// crowdWorld are users of one or two engines on one store.
type crowdWorld struct {
	engines []*flow.Engine
	users   *store.Users
	outside *slowOutside
	claims  *claims

	mu                 sync.Mutex
	connected, revoked []time.Duration
}

func newCrowd(t *testing.T, backends []store.Backend) *crowdWorld {
	t.Helper()
	c := &crowdWorld{outside: &slowOutside{approved: map[string]bool{}, revoked: map[string]chan struct{}{}}, claims: &claims{holders: map[string]int{}}}
	keys, err := store.NewKeyring(store.NewKey())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), bySchedulerKey{}, true))
	web, _ := url.Parse("https://github.test")
	var running sync.WaitGroup
	for _, backend := range backends {
		c.users = store.NewUsers(backend, keys, time.Now, slog.New(slog.NewTextHandler(t.Output(), nil)))
		engine := flow.New(flow.Options{
			GitHub: c.outside, Hub: c.outside, Store: watchedStore{c.users, c.claims}, Audit: &auditLog{},
			GitHubURL: web, Identity: flow.AnyAccount, HubTokenLife: time.Hour,
			Clock: time.Now, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Registry: prometheus.NewRegistry(),
		})
		c.engines = append(c.engines, engine)
		running.Go(func() { engine.Run(ctx) })
	}
	t.Cleanup(func() {
		cancel()
		running.Wait()
		for _, backend := range backends {
			require.NoError(t, backend.Close())
		}
	})
	return c
}

// live carries out the life of every user.
func (c *crowdWorld) live(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), claimLimit)
	defer cancel()
	people := claimUsers
	if testing.Short() {
		people = claimUsersShort
	}
	errs := make(chan error, people)
	room := make(chan struct{}, atOnce)
	for i := range people {
		go func() {
			room <- struct{}{}
			defer func() { <-room }()
			p := crowdUser{c, browser(fmt.Sprintf("user-%d", i), fmt.Sprintf("hub-%d", i))}
			errs <- p.live(ctx)
		}()
	}
	for range people {
		require.NoError(t, <-errs)
	}
}

// claimed counts the records that are claimed although nobody works on them.
func (c *crowdWorld) claimed(t *testing.T) (count int) {
	t.Helper()
	for after := ""; ; {
		users, next, err := c.users.List(t.Context(), after, 100)
		require.NoError(t, err)
		for _, user := range users {
			if !user.Held.IsZero() && c.claims.holding(user.Name) == 0 {
				count++
			}
		}
		if after = next; next == "" {
			return count
		}
	}
}

// crowdUser is one of them.
type crowdUser struct {
	*crowdWorld
	flow.Caller
}

// engine is the process that a request happens to reach.
func (p crowdUser) engine() *flow.Engine { return p.engines[rand.N(len(p.engines))] }

// live connects and disconnects; then does so again without a pause, so that the
// commands meet the steps of the ones before.
func (p crowdUser) live(ctx context.Context) error {
	token, err := p.connect(ctx)
	if err != nil {
		return err
	}
	if err := p.disconnect(ctx); err != nil {
		return err
	}
	if err := p.awaitRevoked(ctx, token, time.Now()); err != nil {
		return err
	}

	first, err := p.connect(ctx)
	if err != nil {
		return err
	}
	if err := p.disconnect(ctx); err != nil {
		return err
	}
	began := time.Now()
	time.Sleep(100 * time.Millisecond) // GitHub is being told of the first
	second, err := p.connect(ctx)
	if err != nil {
		return err
	}
	if err := p.awaitRevoked(ctx, first, began); err != nil {
		return err
	}
	if err := p.disconnect(ctx); err != nil {
		return err
	}
	return p.awaitRevoked(ctx, second, time.Now())
}

// connect begins a flow, approves it, comes back to the page meanwhile, and waits
// for its end.
func (p crowdUser) connect(ctx context.Context) (token string, err error) {
	var user *flow.User
	err = again(ctx, func() error {
		user, _, err = p.engine().Start(ctx, p.Caller, flow.Request{Servers: []string{""}})
		return err
	})
	if err != nil {
		return "", err
	}
	changes := p.engine().Watch(ctx, p.User)
	p.outside.approve(user.Flow.DeviceCode.Reveal())
	approved := time.Now()
	seen := flow.Pending
	for user.Flow == nil || user.Flow.State != flow.Connected {
		if user.Flow != nil && user.Flow.State.Final() {
			return "", fmt.Errorf("%s: the flow is %s: %v", p.User, user.Flow.State, user.Flow.Error)
		}
		select {
		case <-changes:
		case <-ctx.Done():
			return "", fmt.Errorf("%s is %s since %v: %w", p.User, user.Flow.State, time.Since(approved), ctx.Err())
		}
		err := again(ctx, func() error {
			user, err = p.engine().Of(ctx, p.Caller)
			return err
		})
		if err != nil {
			return "", err
		}
		if user.Flow != nil && user.Flow.State != seen {
			seen = user.Flow.State
			if err := again(ctx, func() error { return p.engine().SignedIn(ctx, p.Caller) }); err != nil {
				return "", err
			}
		}
	}
	p.took(&p.connected, approved)
	return user.Connection.Token.Access.Reveal(), nil
}

func (p crowdUser) disconnect(ctx context.Context) error {
	return again(ctx, func() error {
		_, err := p.engine().Disconnect(ctx, p.Caller)
		return err
	})
}

// again asks again where the store was too busy, as a person does.
func again(ctx context.Context, ask func() error) error {
	for {
		err := ask()
		var cause *apierror.Error
		if !errors.As(err, &cause) || !cause.Retryable || ctx.Err() != nil {
			return err
		}
	}
}

func (p crowdUser) awaitRevoked(ctx context.Context, token string, since time.Time) error {
	select {
	case <-p.outside.dead(token):
		p.took(&p.revoked, since)
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s's token lives: %w", p.User, ctx.Err())
	}
}

func (c *crowdWorld) took(list *[]time.Duration, since time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*list = append(*list, time.Since(since))
}

func figures(took []time.Duration) string {
	slices.Sort(took)
	over := func(limit time.Duration) (count int) {
		for _, d := range took {
			if d > limit {
				count++
			}
		}
		return count
	}
	return fmt.Sprintf("%d, median %.1f s, longest %.1f s, %d over 5 s, %d over 40 s", len(took),
		took[len(took)/2].Seconds(), took[len(took)-1].Seconds(), over(5*time.Second), over(40*time.Second))
}

// claims counts who works on a record.
type claims struct {
	mu      sync.Mutex
	holders map[string]int
	left    []string
}

func (c *claims) holding(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.holders[name]
}

// bySchedulerKey marks the context of a scheduler: its saves end a step.
type bySchedulerKey struct{}

// watchedStore sees when a scheduler takes a record and when it stores it.
type watchedStore struct {
	flow.Store
	*claims
}

func (s watchedStore) Claim(ctx context.Context, hold time.Duration, limit int) ([]*flow.User, error) {
	users, err := s.Store.Claim(ctx, hold, limit)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, user := range users {
		s.holders[user.Name]++
	}
	return users, err
}

func (s watchedStore) Save(ctx context.Context, user *flow.User) error {
	err := s.Store.Save(ctx, user)
	if err != nil || ctx.Value(bySchedulerKey{}) == nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holders[user.Name]--
	if s.holders[user.Name] == 0 && !user.Held.IsZero() {
		s.left = append(s.left, user.Name)
	}
	return nil
}

// slowOutside is a GitHub and a Hub that take 0.2 to 0.4 s for each answer, half
// of it before and half after the work is done.
type slowOutside struct {
	flow.Hub
	mu       sync.Mutex
	codes    int
	approved map[string]bool
	revoked  map[string]chan struct{}
}

func (o *slowOutside) takeTime(ctx context.Context) (back func()) {
	half := (200*time.Millisecond + rand.N(200*time.Millisecond)) / 2
	wait := func() {
		select {
		case <-time.After(half):
		case <-ctx.Done():
		}
	}
	wait()
	return wait
}

func (o *slowOutside) approve(code string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.approved[code] = true
}

// dead is closed when a token has been revoked.
func (o *slowOutside) dead(token string) chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.revoked[token] == nil {
		o.revoked[token] = make(chan struct{})
	}
	return o.revoked[token]
}

func (o *slowOutside) DeviceCode(ctx context.Context) (github.DeviceCode, error) {
	defer o.takeTime(ctx)()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.codes++
	return github.DeviceCode{DeviceCode: secret.New(fmt.Sprintf("code-%d", o.codes)), UserCode: "ABCD-1234",
		VerificationURI: "https://github.test/login/device", ExpiresIn: 15 * time.Minute, Interval: time.Second}, nil
}

func (o *slowOutside) PollOnce(ctx context.Context, code secret.String) (github.PollResult, error) {
	defer o.takeTime(ctx)()
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.approved[code.Reveal()] {
		return github.PollResult{Status: github.PollPending}, nil
	}
	return github.PollResult{Status: github.PollGranted, Token: github.Token{
		Access: secret.Store(secret.New(strings.Replace(code.Reveal(), "code", "ghu", 1))), ExpiresAt: time.Now().Add(8 * time.Hour)}}, nil
}

func (o *slowOutside) Account(ctx context.Context, _ secret.String) (github.Account, error) {
	defer o.takeTime(ctx)()
	return github.Account{ID: 7, Login: "Ada"}, nil
}

func (o *slowOutside) Access(ctx context.Context, _ secret.String, _ int64) (github.Access, error) {
	defer o.takeTime(ctx)()
	return github.Access{State: github.AccessReady}, nil
}

func (o *slowOutside) Revoke(ctx context.Context, token secret.String) error {
	defer o.takeTime(ctx)()
	revoked := o.dead(token.Reveal())
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case <-revoked: // told again
	default:
		close(revoked)
	}
	return nil
}

func (o *slowOutside) Refresh(context.Context, secret.String) (github.Token, error) {
	panic("nothing is refreshed here")
}

func (o *slowOutside) ScopeToken(context.Context, secret.String, string) (github.Token, error) {
	panic("nothing is narrowed here")
}

func (o *slowOutside) Whoami(ctx context.Context, token secret.String) (hub.User, error) {
	defer o.takeTime(ctx)()
	return hub.User{Kind: "user", Name: "user-" + strings.TrimPrefix(token.Reveal(), "hub-"), Created: created}, nil
}
