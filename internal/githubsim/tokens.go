package githubsim

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
)

const (
	userTokenLife    = 8 * time.Hour
	refreshTokenLife = 15897600 * time.Second
	base62           = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// token is one access token, and the refresh token that came with it.
type token struct {
	value   string
	app     *App
	issued  time.Time
	expires time.Time // zero: never
	ended   string    // why it no longer works, besides its expiry
	used    bool      // has been accepted once

	// A user's token.
	login          string
	via            string // device, web, scoped
	refresh        string
	refreshExpires time.Time
	refreshEnded   string

	// signedOn are the organisations, lower case, in which its user had a SAML
	// session when it was made.
	signedOn map[string]bool

	// What it is narrowed to; nil: to nothing.
	repos       map[int64]bool
	permissions map[string]string

	// An installation's token.
	installation *installation
}

type grantKey struct {
	clientID, login string
}

// state is live, expired, or the cause of its end.
func (t *token) state(now time.Time) string {
	switch {
	case t.ended != "":
		return t.ended
	case !t.expires.IsZero() && !now.Before(t.expires):
		return "expired"
	}
	return "live"
}

func (t *token) refreshState(now time.Time) string {
	switch {
	case t.refresh == "":
		return ""
	case t.refreshEnded != "":
		return t.refreshEnded
	case !now.Before(t.refreshExpires):
		return "expired"
	}
	return "live"
}

// end kills the access token and its refresh token.
func (t *token) end(why string) {
	if t.ended == "" {
		t.ended = why
	}
	if t.refresh != "" && t.refreshEnded == "" {
		t.refreshEnded = why
	}
}

// actor is the name that GitHub shows for what the token does.
func (t *token) actor() string {
	if t.installation != nil {
		return t.app.Slug + "[bot]"
	}
	return t.login
}

// liveToken finds a token that works now.
func (s *Server) liveToken(value string) *token {
	t := s.tokens[value]
	if t == nil || t.state(s.Now()) != "live" {
		return nil
	}
	return t
}

// issueUserToken makes a pair for login, narrowed to repos (nil: not), and
// evicts the oldest beyond the limit.
func (s *Server) issueUserToken(app *App, login, via string, repos map[int64]bool) *token {
	now := s.Now()
	t := &token{value: "ghu_" + randomFrom(base62, 36), app: app, login: login, via: via, repos: repos, issued: now, signedOn: s.samlSessions(login)}
	if !app.NoTokenExpiry {
		t.expires = now.Add(cmp.Or(s.tokenLives[strings.ToLower(login)], userTokenLife))
		t.refresh = "ghr_" + randomFrom(base62, 76)
		t.refreshExpires = now.Add(refreshTokenLife)
		s.refreshTokens[t.refresh] = t
	}
	s.grants[grantKey{app.ClientID, strings.ToLower(login)}] = true
	s.keep(t)
	s.evict(app, login)
	return t
}

// SetTokenLife says how long the tokens of an account last that it authorizes from
// now on. It is 8 hours at GitHub; a test of what happens at their end needs less.
func (s *Server) SetTokenLife(login string, life time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokenLives[strings.ToLower(login)] = life
}

func (s *Server) keep(t *token) {
	s.tokens[t.value] = t
	s.issued = append(s.issued, t)
}

func (s *Server) evict(app *App, login string) {
	var live []*token
	for _, t := range s.issued {
		if t.app == app && t.installation == nil && strings.EqualFold(t.login, login) && t.state(s.Now()) == "live" {
			live = append(live, t)
		}
	}
	for _, t := range live[:max(0, len(live)-s.opts.Limits.TokensPerUser)] {
		t.end("evicted")
	}
}

// issuedLastHour counts a user's web flow tokens, after ten of which GitHub asks again.
func (s *Server) issuedLastHour(app *App, login string) int {
	n := 0
	for _, t := range s.issued {
		if t.app == app && strings.EqualFold(t.login, login) && s.Now().Sub(t.issued) < time.Hour {
			n++
		}
	}
	return n
}

// endGrant is a user taking the whole authorisation back.
func (s *Server) endGrant(app *App, login, why string) {
	delete(s.grants, grantKey{app.ClientID, strings.ToLower(login)})
	for _, t := range s.issued {
		if t.app == app && t.installation == nil && strings.EqualFold(t.login, login) {
			t.end(why)
		}
	}
}

// answer is the body of a successful token request.
func (t *token) answer() map[string]any {
	a := map[string]any{"access_token": t.value, "token_type": "bearer", "scope": ""}
	if t.refresh != "" {
		a["expires_in"] = int(t.expires.Sub(t.issued).Seconds())
		a["refresh_token"] = t.refresh
		a["refresh_token_expires_in"] = int(refreshTokenLife.Seconds())
	}
	return a
}

func sha(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:])
}
