package flow_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/credential"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

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
	poll      func(n int) (github.PollResult, error)
	account   func() (github.Account, error)
	access    func() (github.Access, error)
	revoke    func(token string) error
	refresh   func() (github.Token, error)
	exchange  func() (github.Token, error)
	refreshes []string
	exchanges []string
	polls     []time.Time
	codes     int
	refuse    error // a code
	accesses  int
	revoked   []string
	narrow    func(repository string) (github.Token, error)
	narrows   []string
	tokenLife time.Duration
	ctx       context.Context // of the poll under way
}

func newFakeGitHub(clock func() time.Time) *fakeGitHub {
	g := &fakeGitHub{clock: clock, life: 15 * time.Minute, interval: 5 * time.Second, tokenLife: 8 * time.Hour}
	g.poll = func(int) (github.PollResult, error) { return github.PollResult{Status: github.PollPending}, nil }
	g.account = func() (github.Account, error) { return github.Account{ID: 7, Login: "Ada"}, nil }
	g.access = func() (github.Access, error) {
		return github.Access{State: github.AccessReady, Repositories: []github.Repository{{ID: 1, FullName: "o/r", Push: true}}}, nil
	}
	g.refresh = func() (github.Token, error) { return g.token(fmt.Sprint("ghu_fresh", len(g.refreshes))), nil }
	g.exchange = func() (github.Token, error) { return g.token("ghu_web"), nil }
	g.narrow = func(string) (github.Token, error) { return g.token(fmt.Sprint("ghu_narrow", len(g.narrows))), nil }
	g.revoke = func(string) error { return nil }
	return g
}

func (g *fakeGitHub) token(value string) github.Token {
	return github.Token{
		Access: secret.Store(secret.New(value)), ExpiresAt: g.clock().Add(g.tokenLife),
		Refresh: secret.Store(secret.New(strings.Replace(value, "ghu_", "ghr_", 1))), RefreshExpiresAt: g.clock().Add(4400 * time.Hour),
	}
}

func (g *fakeGitHub) approve(token string) {
	g.poll = func(int) (github.PollResult, error) {
		g.poll = func(int) (github.PollResult, error) { return github.PollResult{Status: github.PollIncorrect}, nil }
		return github.PollResult{Status: github.PollGranted, Token: g.token(token)}, nil
	}
}

func (g *fakeGitHub) DeviceCode(context.Context) (github.DeviceCode, error) {
	g.codes++
	g.hit("DeviceCode")
	if g.refuse != nil {
		return github.DeviceCode{}, g.refuse
	}
	return github.DeviceCode{DeviceCode: secret.New("device-code-marker"), UserCode: "ABCD-1234",
		VerificationURI: "https://github.test/login/device", ExpiresIn: g.life, Interval: g.interval}, nil
}

func (g *fakeGitHub) PollOnce(ctx context.Context, code secret.String) (github.PollResult, error) {
	if code.Reveal() != "device-code-marker" {
		return github.PollResult{}, errors.New("wrong device code")
	}
	g.polls = append(g.polls, g.clock())
	g.ctx = ctx
	result, err := g.poll(len(g.polls))
	g.hit("PollOnce")
	return result, errors.Join(err, ctx.Err())
}

func (g *fakeGitHub) Account(context.Context, secret.String) (github.Account, error) {
	g.hit("Account")
	return g.account()
}

func (g *fakeGitHub) Access(context.Context, secret.String, int64) (github.Access, error) {
	g.accesses++
	g.hit("Access")
	return g.access()
}

func (g *fakeGitHub) ScopeToken(_ context.Context, wide secret.String, repository string) (github.Token, error) {
	g.narrows = append(g.narrows, wide.Reveal()+" "+repository)
	token, err := g.narrow(repository) // made before whatever happens meanwhile
	token.Refresh, token.RefreshExpiresAt = secret.Stored{}, time.Time{}
	g.hit("Narrow")
	return token, err
}

func (g *fakeGitHub) Revoke(_ context.Context, token secret.String) error {
	g.hit("Revoke")
	if err := g.revoke(token.Reveal()); err != nil {
		return err
	}
	g.revoked = append(g.revoked, token.Reveal())
	return nil
}

func (g *fakeGitHub) Refresh(_ context.Context, refresh secret.String) (github.Token, error) {
	g.refreshes = append(g.refreshes, refresh.Reveal())
	token, err := g.refresh() // made before whatever happens meanwhile
	g.hit("Refresh")
	return token, err
}

func (g *fakeGitHub) AuthURL(state, verifier, redirect, login string) string {
	return "https://github.test/login/oauth/authorize?" + url.Values{
		"state": {state}, "code_challenge": {verifier}, "redirect_uri": {redirect}, "login": {login}}.Encode()
}

func (g *fakeGitHub) Exchange(ctx context.Context, code, verifier, redirect string) (github.Token, error) {
	g.exchanges = append(g.exchanges, code+" "+verifier+" "+redirect)
	token, err := g.exchange()
	g.hit("Exchange")
	return token, errors.Join(err, ctx.Err())
}

type fakeHub struct {
	hooks
	progress func() (string, bool, error)
	known    map[string]hub.Server
	tokens   map[string]bool
	err      error
	startOK  func(name string) error
	starts   []string
	looks    int
	asked    int // who a token belongs to
	// made are the tokens for one server, by id; ended those that were deleted.
	made  map[string]hub.ServerToken
	lives []time.Duration
	ended []string
	mint  error
	// shows is what a server of that name shows as its own token: ownToken(name)
	// where nothing else is said.
	shows   map[string]string
	created string
	// refuseServers: the Hub does not let the service see servers.
	refuseServers bool
	shares        func() (map[string][]string, error)
}

// ownToken is the token that the Hub gave a server.
func ownToken(server string) string { return "server-token-marker-of-/" + url.PathEscape(server) }

func newFakeHub() *fakeHub {
	h := &fakeHub{known: map[string]hub.Server{}, tokens: map[string]bool{hubToken: true},
		made: map[string]hub.ServerToken{}, shows: map[string]string{}, created: created}
	h.shares = func() (map[string][]string, error) { return nil, hub.ErrForbidden } // as without the scope
	h.progress = func() (string, bool, error) { return "", false, nil }
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
		return hub.ErrForbidden // as a real Hub says
	case user != userName:
		return hub.ErrForbidden
	}
	return nil
}

func (h *fakeHub) Whoami(_ context.Context, token secret.String) (hub.User, error) {
	if strings.ContainsFunc(token.Reveal(), func(r rune) bool { return r < ' ' }) || len(token.Reveal()) > 8<<10 {
		return hub.User{}, &hub.UnavailableError{Err: errors.New("no such header can be sent")}
	}
	if server, own := strings.CutPrefix(token.Reveal(), ownToken("")); own {
		h.hit("Prove")
		server, _ = url.PathUnescape(server)
		return hub.User{Kind: "user", Name: userName, Scopes: []string{
			"access:servers!server=" + userName + "/" + server, "users:activity!user=" + userName}}, h.err
	}
	for id, made := range h.made {
		if made.Token.Reveal() == token.Reveal() {
			return hub.User{Kind: "user", Name: userName, Scopes: []string{
				"access:servers!server=" + userName + "/" + id}}, h.err
		}
	}
	h.asked++
	err := h.refuse(token, userName)
	if h.tokens[token.Reveal()] && errors.Is(err, hub.ErrForbidden) {
		err = nil // every token may ask this
	}
	h.hit("Whoami")
	return hub.User{Kind: "user", Name: userName, Created: h.created}, err
}

func (h *fakeHub) Servers(_ context.Context, token secret.String, user string) ([]hub.Server, error) {
	h.looks++
	err := h.refuse(token, user)
	if h.refuseServers {
		err = hub.ErrForbidden
	}
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

func (h *fakeHub) Shares(_ context.Context, token secret.String, user string) (map[string][]string, error) {
	if err := h.refuse(token, user); err != nil {
		return nil, err
	}
	return h.shares()
}

func (h *fakeHub) StartServer(_ context.Context, token secret.String, user, name string) error {
	if err := h.refuse(token, user); err != nil {
		return err
	}
	h.starts = append(h.starts, name)
	return h.startOK(name)
}

func (h *fakeHub) Progress(_ context.Context, token secret.String, user, _ string) (string, bool, error) {
	if err := h.refuse(token, user); err != nil {
		return "", false, err
	}
	return h.progress()
}

func (h *fakeHub) ServerToken(_ context.Context, token secret.String, user, server string, life time.Duration) (hub.ServerToken, error) {
	if err := errors.Join(h.mint, h.refuse(token, user)); err != nil {
		return hub.ServerToken{}, err
	}
	made := hub.ServerToken{ID: server, Token: secret.New(fmt.Sprintf("made-token-marker-%d-of-/%s", len(h.lives), server))}
	h.made[server], h.lives = made, append(h.lives, life)
	h.hit("ServerToken")
	return made, nil
}

func (h *fakeHub) DeleteToken(ctx context.Context, token secret.String, user, id string) error {
	h.hit("DeleteToken")
	if err := errors.Join(ctx.Err(), h.refuse(token, user)); err != nil {
		return err
	}
	h.ended = append(h.ended, h.made[id].Token.Reveal())
	delete(h.made, id)
	return nil
}

func (h *fakeHub) Address(server hub.Server) (hub.Address, error) {
	address, err := url.Parse("http://proxy.test" + server.URL)
	return hub.Address{URL: address}, err
}

// fakeServers are the files in a user's servers.
type fakeServers struct {
	hooks
	hub     *fakeHub
	seen    []string // tokens that servers were shown
	content map[string]string
	err     error
	lost    error // the answer to a write that was carried out
	writes  int
	removes int
	// expiries counts the removals that left git's helper.
	expiries int
}

func (s *fakeServers) at(server string) string { return s.content["/user/ada/"+server] }

// proves does what is done before anything is written: the server sees the token
// of the target and shows its own.
func (s *fakeServers) proves(ctx context.Context, target hub.Target) error {
	name := strings.TrimPrefix(target.URL.Path, "/user/ada/")
	s.seen = append(s.seen, target.Token.Reveal())
	if s.hub.made[name].Token.Reveal() != target.Token.Reveal() {
		return errors.New("this token does not open the server")
	}
	own, said := s.hub.shows[name]
	if !said {
		own = ownToken(name)
	}
	return target.Prove(ctx, secret.New(own))
}

func (s *fakeServers) Deliver(ctx context.Context, target hub.Target, c credential.Credential) (string, error) {
	s.writes++
	if err := s.proves(ctx, target); err != nil {
		return "", err
	}
	if s.err != nil {
		return "", s.err
	}
	s.content[target.URL.Path] = c.Password.Reveal()
	s.hit("Deliver")
	if s.lost != nil {
		return "", s.lost
	}
	return "terminal", nil
}

func (s *fakeServers) Expire(ctx context.Context, target hub.Target) (string, error) {
	s.expiries++
	s.removes-- // it counts these as well
	return s.Remove(ctx, target)
}

func (s *fakeServers) Remove(ctx context.Context, target hub.Target) (string, error) {
	s.removes++
	if err := s.proves(ctx, target); err != nil {
		return "", err
	}
	s.hit("Remove")
	if s.err != nil {
		return "", s.err
	}
	delete(s.content, target.URL.Path)
	s.hit("Removed")
	return "terminal", nil
}
