package githubsim

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/go-chi/chi/v5"
)

// samlSession is a person's single sign-on in an organisation, both lower case.
type samlSession struct{ login, org string }

// SAML makes an organisation enforce SAML single sign-on. A token reaches it if
// its user had a SAML session there when the token was made; others get GitHub's
// refusal, and lists leave the organisation's repositories out.
func (s *Server) SAML(org string, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saml[strings.ToLower(org)] = on
}

// SignOn begins a person's SAML session in an organisation, as its page does.
func (s *Server) SignOn(login, org string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signedOn[samlSession{strings.ToLower(login), strings.ToLower(org)}] = true
}

// samlSessions are the organisations in which a person has one.
func (s *Server) samlSessions(login string) map[string]bool {
	orgs := map[string]bool{}
	for session := range s.signedOn {
		if session.login == strings.ToLower(login) {
			orgs[session.org] = true
		}
	}
	return orgs
}

// hiddenBySAML says whether a user's token is kept out of what owner has. The
// App's own tokens need no sign-on.
func (s *Server) hiddenBySAML(t *token, owner string) bool {
	org := strings.ToLower(owner)
	return t.installation == nil && s.saml[org] && !t.signedOn[org]
}

// samlRefusal is the REST API's. The address is good for an hour at GitHub.
func (s *Server) samlRefusal(org string) reply {
	address := s.url + "/orgs/" + org + "/sso?" + url.Values{"authorization_request": {randomFrom(base62, 64)}}.Encode()
	return fail(http.StatusForbidden, "Resource protected by organization SAML enforcement. You must grant your OAuth token access to this organization.").
		with("X-GitHub-SSO", "required; url="+address)
}

// signOnPage is /orgs/{org}/sso; the identity provider is a button.
func (s *Server) signOnPage(n *session, r *http.Request) reply {
	org := s.account(chi.URLParam(r, "org"))
	if org == nil || !s.saml[strings.ToLower(org.Login)] {
		return s.pageError(http.StatusNotFound, "This page does not exist.")
	}
	return n.page("sso.html", "Single sign-on to "+org.Login, org)
}

func (s *Server) signOn(n *session, r *http.Request) reply {
	org := s.account(chi.URLParam(r, "org"))
	if org == nil || !s.saml[strings.ToLower(org.Login)] {
		return s.pageError(http.StatusNotFound, "This page does not exist.")
	}
	s.signedOn[samlSession{strings.ToLower(n.login), strings.ToLower(org.Login)}] = true
	return n.page("message.html", "Single sign-on to "+org.Login, map[string]string{"ID": "signed-on", "Text": "You are signed on to " + org.Login + "."})
}
