package githubsim

import (
	"crypto/subtle"
	"net/http"
	"strconv"
	"strings"
)

const (
	tokenEndpoint   = "POST /login/oauth/access_token"
	deviceGrantType = "urn:ietf:params:oauth:grant-type:device_code"
	deviceErrorsURI = "https://docs.github.com/developers/apps/authorizing-oauth-apps#error-codes-for-the-device-flow"
	webErrorsURI    = "https://docs.github.com/apps/managing-oauth-apps/troubleshooting-oauth-app-access-token-request-errors"
)

// descriptions are the error_description of each OAuth error.
var descriptions = map[string]string{
	"authorization_pending":        "The authorization request is still pending.",
	"slow_down":                    "Too many requests have been made in the same timeframe.",
	"expired_token":                "This 'device_code' has expired.",
	"access_denied":                "The authorization request was denied.",
	"incorrect_device_code":        "The device_code provided is not valid.",
	"device_flow_disabled":         "Device Flow must be explicitly enabled for this App",
	"unsupported_grant_type":       "The grant_type parameter must be urn:ietf:params:oauth:grant-type:device_code.",
	"incorrect_client_credentials": "The client_id and/or client_secret passed are incorrect.",
	"bad_verification_code":        "The code passed is incorrect or expired.",
	"bad_refresh_token":            "The refresh token passed is incorrect or expired.",
	"redirect_uri_mismatch":        "The redirect_uri MUST match the registered callback URL for this application.",
}

// oauthError is an error of the token endpoint: status 200, as GitHub has it.
func oauthError(code, uri string) reply {
	return reply{status: http.StatusOK, oauth: map[string]any{
		"error": code, "error_description": descriptions[code], "error_uri": uri}}
}

// accessToken is POST /login/oauth/access_token, which serves three grants.
func (s *Server) accessToken(w http.ResponseWriter, r *http.Request) {
	s.write(w, r, s.exchange(r))
}

func (s *Server) exchange(r *http.Request) reply {
	p := params(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	id, secret := p.Get("client_id"), p.Get("client_secret")
	if user, pass, ok := r.BasicAuth(); ok {
		id, secret = user, pass
	}
	app := s.apps[id]
	if app == nil {
		return oauthError("incorrect_client_credentials", webErrorsURI)
	}
	switch grant := p.Get("grant_type"); {
	case grant == deviceGrantType:
		return s.deviceExchange(app, p.Get("device_code"), p.Get("repository_id"), earlyPoll(r))
	case grant == "refresh_token":
		return s.refreshExchange(app, p.Get("refresh_token"), secret)
	case p.Get("code") != "" && (grant == "" || grant == "authorization_code"):
		return s.codeExchange(app, secret, p.Get("code"), p.Get("redirect_uri"), p.Get("code_verifier"), p.Get("repository_id"))
	}
	return oauthError("unsupported_grant_type", deviceErrorsURI)
}

// onlyRepo is what the repository_id of an exchange narrows a token to. One
// that the App or the person cannot access is ignored, says GitHub: the token
// is as wide as any.
func (s *Server) onlyRepo(app *App, login, repositoryID string) map[int64]bool {
	id, _ := strconv.ParseInt(repositoryID, 10, 64)
	r := s.repoByID(id)
	if r == nil || !s.covers(&token{app: app, login: login, signedOn: s.samlSessions(login)}, r, "metadata", "read") {
		return nil
	}
	return map[int64]bool{id: true}
}

// refreshExchange trades a pair for a new one. A pair that came from the
// device flow needs no secret, a pair of the web flow does. What the old pair
// was narrowed to the new one is, too.
func (s *Server) refreshExchange(app *App, refresh, secret string) reply {
	t := s.refreshTokens[refresh]
	if t == nil || t.app != app || t.refreshState(s.Now()) != "live" {
		return oauthError("bad_refresh_token", webErrorsURI)
	}
	if (t.via == "web" || secret != "") && !app.secretIs(secret) {
		return oauthError("incorrect_client_credentials", webErrorsURI)
	}
	t.end("refreshed")
	renewed := s.issueUserToken(app, t.login, t.via, t.repos)
	renewed.signedOn = t.signedOn // the authorisation is the old one
	return reply{status: http.StatusOK, oauth: renewed.answer()}
}

func (a *App) secretIs(secret string) bool {
	return a.ClientSecret != "" && subtle.ConstantTimeCompare([]byte(a.ClientSecret), []byte(secret)) == 1
}

// callbackAllowed follows GitHub's rule: same host, and a path at or below a
// registered one; for loopback any port.
func (a *App) callbackAllowed(uri string) bool {
	for _, registered := range a.CallbackURLs {
		if uri == registered || strings.HasPrefix(uri, strings.TrimSuffix(registered, "/")+"/") || sameLoopback(registered, uri) {
			return true
		}
	}
	return false
}
