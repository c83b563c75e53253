package githubsim

import (
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
)

const maxRevoked = 1000

// Email is a message that GitHub would have sent.
type Email struct {
	To      string    `json:"to"` // login
	Subject string    `json:"subject"`
	Time    time.Time `json:"time"`
}

// revokeCredentials is POST /credentials/revoke: for whoever found a token, so
// nobody needs to say who they are; unknown tokens are accepted all the same.
// Whether revoking one of a pair ends the other is not documented; here it does
// not, so that a client which forgets the other is found out.
func (s *Server) revokeCredentials(w http.ResponseWriter, r *http.Request) {
	s.write(w, r, s.revoke(r))
}

func (s *Server) revoke(r *http.Request) reply {
	var in struct{ Credentials []string }
	err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<20)).Decode(&in)
	s.mu.Lock()
	defer s.mu.Unlock()
	caller := credential(r)
	switch {
	case s.opts.Enterprise && s.liveToken(caller) == nil:
		return fail(http.StatusUnauthorized, "Requires authentication")
	case !s.opts.Enterprise && r.Header.Get("Authorization") != "":
		return fail(http.StatusForbidden, "This endpoint must be called without authentication.")
	}
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	limit := s.hour(s.rates, "revoke "+host)
	if limit.count >= s.opts.Limits.RevokePerHour {
		wait := limit.start.Add(time.Hour).Sub(s.Now())
		return fail(http.StatusTooManyRequests, "API rate limit exceeded for "+host).with("Retry-After", seconds(wait))
	}
	limit.count++
	if err != nil || len(in.Credentials) == 0 || len(in.Credentials) > maxRevoked {
		return fail(http.StatusUnprocessableEntity, "Validation Failed")
	}
	for _, c := range in.Credentials {
		if !strings.HasPrefix(c, "ghu_") && !strings.HasPrefix(c, "ghr_") && !strings.HasPrefix(c, "ghp_") &&
			!strings.HasPrefix(c, "gho_") && !strings.HasPrefix(c, "github_pat_") {
			return fail(http.StatusUnprocessableEntity, "Validation Failed")
		}
	}
	for _, c := range in.Credentials {
		s.revokeOne(c)
	}
	return reply{status: http.StatusAccepted, json: map[string]any{}}
}

func (s *Server) revokeOne(value string) {
	now := s.Now()
	if t := s.tokens[value]; t != nil && t.state(now) == "live" {
		t.ended = "revoked"
		s.emails = append(s.emails, Email{To: t.login, Subject: "A token of " + t.app.Name + " was revoked", Time: now})
	}
	if t := s.refreshTokens[value]; t != nil && t.refreshState(now) == "live" {
		t.refreshEnded = "revoked"
		s.emails = append(s.emails, Email{To: t.login, Subject: "A refresh token of " + t.app.Name + " was revoked", Time: now})
	}
}

// applicationBody is what an /applications/{client_id} endpoint is sent; only
// …/token/scoped looks at more than the token.
type applicationBody struct {
	AccessToken string `json:"access_token"`
	scopeRequest
}

// application authenticates the /applications/{client_id} endpoints and finds
// the token they are about.
func (s *Server) application(then func(app *App, t *token, in applicationBody) reply) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { s.write(w, r, s.asApplication(r, then)) }
}

func (s *Server) asApplication(r *http.Request, then func(app *App, t *token, in applicationBody) reply) reply {
	var in applicationBody
	err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<20)).Decode(&in)
	s.mu.Lock()
	defer s.mu.Unlock()
	id, secret, _ := r.BasicAuth()
	app := s.apps[id]
	if app == nil || id != chi.URLParam(r, "client_id") || !app.secretIs(secret) {
		return fail(http.StatusNotFound, "Not Found")
	}
	if err != nil || in.AccessToken == "" {
		return fail(http.StatusUnprocessableEntity, "Validation Failed")
	}
	t := s.liveToken(in.AccessToken)
	if t == nil || t.app != app || t.installation != nil {
		return fail(http.StatusNotFound, "Not Found")
	}
	return then(app, t, in)
}

func (s *Server) deleteToken(_ *App, t *token, _ applicationBody) reply {
	t.end("revoked")
	return reply{status: http.StatusNoContent}
}

func (s *Server) deleteGrant(app *App, t *token, _ applicationBody) reply {
	s.endGrant(app, t.login, "grant revoked")
	return reply{status: http.StatusNoContent}
}

func (s *Server) checkToken(app *App, t *token, _ applicationBody) reply {
	return ok(s.authorization(app, t))
}

// authorization is GitHub's word for a token and all that is known of it.
func (s *Server) authorization(app *App, t *token) map[string]any {
	body := map[string]any{"token": t.value, "app": map[string]any{"name": app.Name, "client_id": app.ClientID, "url": s.url + "/apps/" + app.Slug},
		"user": s.accountJSON(s.account(t.login)), "created_at": t.issued.UTC(), "expires_at": nil, "scopes": []string{}}
	if !t.expires.IsZero() {
		body["expires_at"] = t.expires.UTC()
	}
	return body
}

func (s *Server) deleteInstallationToken(c *call) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.token.end("revoked")
	return reply{status: http.StatusNoContent}
}

// seconds rounds up, so that who waits that long has waited enough.
func seconds(d time.Duration) string {
	return strconv.Itoa(int((d + time.Second - 1) / time.Second))
}

// RevokeGrant is login taking the authorisation back in their settings.
func (s *Server) RevokeGrant(clientID, login string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if app := s.apps[clientID]; app != nil {
		s.endGrant(app, login, "grant revoked")
	}
}
