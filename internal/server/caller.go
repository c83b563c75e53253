package server

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/hubauth"
	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/webaddr"
)

// caller is who makes a request: a browser with a session, or a program that
// shows a Hub token. Exactly one of session and holder is set.
type caller struct {
	user    string
	session *hubauth.Session
	holder  *hub.User
	// shown is a program's Hub token.
	shown secret.String
}

// forFlow is the caller as the engine knows one. Only a session's token was
// granted for reaching into servers; a program's is never kept.
func (c caller) forFlow() flow.Caller {
	if c.session != nil {
		return flow.Caller{User: c.user, Created: c.session.Holder.Created,
			HubToken: c.session.HubToken.String, HubTokenExpires: c.session.ExpiresAt}
	}
	program := flow.Caller{User: c.user, Created: c.holder.Created, HubToken: c.shown, Program: true}
	if server, one := c.holder.Server(); one {
		program.Server = &server
	}
	return program
}

// of is the caller of a session.
func of(session hubauth.Session) caller { return caller{user: session.User, session: &session} }

// callerHandler is a handler that knows who calls.
type callerHandler func(w http.ResponseWriter, r *http.Request, c caller) error

func reads(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// api wraps a handler of the API: a Hub token in the header, or a session whose
// writes carry the CSRF header. For a write the Hub is always asked.
func (s *Server) api(next callerHandler) http.HandlerFunc { return s.calls(next, false) }

// question wraps a POST that changes nothing: for a program it is a read, which
// the Hub's cached answer may allow.
func (s *Server) question(next callerHandler) http.HandlerFunc { return s.calls(next, true) }

func (s *Server) calls(next callerHandler, question bool) http.HandlerFunc {
	return s.handle(func(w http.ResponseWriter, r *http.Request) error {
		r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
		if token := hubauth.BearerToken(r); !token.Empty() {
			return s.withToken(w, r, token, !question && !reads(r.Method), next)
		}
		session, err := s.auth.Session(r, !reads(r.Method))
		if err != nil {
			return err
		}
		if !reads(r.Method) {
			if err := s.fromOurPage(r); err != nil {
				return err
			}
			if !session.CheckCSRF(r.Header.Get("X-CSRF-Token")) {
				return errCSRF
			}
		}
		return next(w, r, of(session))
	})
}

func (s *Server) withToken(w http.ResponseWriter, r *http.Request, token secret.String, fresh bool, next callerHandler) error {
	holder, err := s.holder(r, token, fresh)
	if err != nil {
		return err
	}
	if holder.Kind != "user" {
		return errUsersOnly
	}
	return next(w, r, caller{user: holder.Name, holder: &holder, shown: token})
}

// form wraps a handler of a plain form: a session, and the CSRF token as a
// field. It answers with the page again.
func (s *Server) form(next callerHandler) http.HandlerFunc {
	return s.handle(func(w http.ResponseWriter, r *http.Request) error {
		session, err := s.auth.Session(r, true)
		if errors.Is(err, hubauth.ErrSignedOut) {
			return s.auth.Login(w, r, "")
		}
		if err != nil {
			return err
		}
		if err := s.checkForm(w, r, session); err != nil {
			return err
		}
		return next(w, r, of(session))
	})
}

// checkForm demands that a plain form is one of our own page's.
func (s *Server) checkForm(w http.ResponseWriter, r *http.Request, session hubauth.Session) error {
	if err := s.fromOurPage(r); err != nil {
		return err
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
	if err := r.ParseForm(); tooLarge(err) {
		return errTooLarge
	}
	if !session.CheckCSRF(r.PostForm.Get("csrf")) {
		return errCSRF
	}
	return nil
}

// fromOurPage checks what a browser says of a request's origin. Every browser
// sends Origin with a write; Sec-Fetch-Site only where the Hub is reached over
// a trustworthy connection.
func (s *Server) fromOurPage(r *http.Request) error {
	origin, err := url.Parse(r.Header.Get("Origin"))
	if err != nil || origin.Host == "" || !s.isOurs(origin, r.Host) {
		return errOrigin
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return errOrigin
	}
	return nil
}

func (s *Server) isOurs(origin *url.URL, host string) bool {
	if s.publicURL != nil {
		return origin.Scheme == s.publicURL.Scheme && webaddr.SameHost(origin.Scheme, origin.Host, s.publicURL.Host)
	}
	return strings.EqualFold(origin.Host, host)
}
