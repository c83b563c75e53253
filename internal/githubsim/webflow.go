package githubsim

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"
)

const authCodeLife = 10 * time.Minute

// authCode is one approved /login/oauth/authorize.
type authCode struct {
	app         *App
	login       string
	redirectURI string
	challenge   string
	issued      time.Time
	used        bool
}

// authorizeRequest is a checked /login/oauth/authorize.
type authorizeRequest struct {
	app         *App
	redirectURI string
	state       string
	challenge   string
	login       string // account the App suggests
	query       string // as it came, for the form
}

var (
	errUnknownApp = errors.New("unknown client id")
	errRedirect   = errors.New(descriptions["redirect_uri_mismatch"])
	errChallenge  = errors.New("code_challenge_method must be S256")
)

// checkAuthorize checks an authorisation request before anybody is asked.
func (s *Server) checkAuthorize(q url.Values) (authorizeRequest, error) {
	a := authorizeRequest{app: s.apps[q.Get("client_id")], redirectURI: q.Get("redirect_uri"), state: q.Get("state"),
		challenge: q.Get("code_challenge"), login: q.Get("login"), query: q.Encode()}
	if a.app == nil {
		return a, errUnknownApp
	}
	if a.redirectURI == "" && len(a.app.CallbackURLs) > 0 {
		a.redirectURI = a.app.CallbackURLs[0]
	}
	if !a.app.callbackAllowed(a.redirectURI) {
		return a, errRedirect
	}
	// A challenge that could not be enforced would protect nobody.
	if a.challenge != "" && (q.Get("code_challenge_method") != "S256" || len(a.challenge) != 43) {
		return a, errChallenge
	}
	return a, nil
}

// grantCode is the address the browser goes back to with a fresh code.
func (s *Server) grantCode(a authorizeRequest, login string) string {
	code := randomHex(20)
	s.codes[code] = &authCode{app: a.app, login: login, redirectURI: a.redirectURI, challenge: a.challenge, issued: s.Now()}
	return a.back(url.Values{"code": {code}})
}

func (a authorizeRequest) back(values url.Values) string {
	u, err := url.Parse(a.redirectURI)
	if err != nil {
		return a.redirectURI
	}
	q := u.Query()
	for k := range values {
		q.Set(k, values.Get(k))
	}
	if a.state != "" {
		q.Set("state", a.state)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// Authorize is login approving an authorisation address without the pages; it
// returns the address the browser is sent back to.
func (s *Server) Authorize(authorizeURL, login string) (string, error) {
	u, err := url.Parse(authorizeURL)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.checkAuthorize(u.Query())
	if err != nil {
		return "", err
	}
	if s.account(login) == nil {
		return "", errors.New("no such account")
	}
	return s.grantCode(a, s.account(login).Login), nil
}

// codeExchange ends the web flow.
func (s *Server) codeExchange(app *App, secret, code, redirectURI, verifier, repositoryID string) reply {
	if !app.secretIs(secret) {
		return oauthError("incorrect_client_credentials", webErrorsURI)
	}
	c := s.codes[code]
	if c == nil || c.app != app || c.used || s.Now().Sub(c.issued) >= authCodeLife {
		return oauthError("bad_verification_code", webErrorsURI)
	}
	if redirectURI != "" && redirectURI != c.redirectURI {
		return oauthError("redirect_uri_mismatch", webErrorsURI)
	}
	c.used = true // also by a wrong verifier: whoever sent it is not the client
	if c.challenge != "" && !verifierMatches(verifier, c.challenge) {
		return oauthError("bad_verification_code", webErrorsURI)
	}
	return reply{status: http.StatusOK,
		oauth: s.issueUserToken(app, c.login, "web", s.onlyRepo(app, c.login, repositoryID)).answer()}
}

// verifierMatches is RFC 7636 section 4.6 for S256.
func verifierMatches(verifier, challenge string) bool {
	sum := sha256.Sum256([]byte(verifier))
	got := base64.RawURLEncoding.EncodeToString(sum[:])
	return subtle.ConstantTimeCompare([]byte(got), []byte(challenge)) == 1
}

// sameLoopback compares two loopback addresses without their ports.
func sameLoopback(a, b string) bool {
	x, errX := url.Parse(a)
	y, errY := url.Parse(b)
	if errX != nil || errY != nil || x.Scheme != y.Scheme || x.Hostname() != y.Hostname() || x.Path != y.Path {
		return false
	}
	ip := net.ParseIP(x.Hostname())
	return x.Hostname() == "localhost" || (ip != nil && ip.IsLoopback())
}
