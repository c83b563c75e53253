package server

import (
	"bytes"
	"context"
	"errors"
	"net/http"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/hubauth"
)

// page is a rendered page before anything of it is sent.
type page = bytes.Buffer

// writeHTML renders in full before the first byte goes out, so that an error in
// a template never leaves half a page.
func (s *Server) writeHTML(w http.ResponseWriter, r *http.Request, status int, render func(lang string, out *page) error) {
	var out page
	if err := render(s.pages.Language(r.Header.Get("Accept-Language")), &out); err != nil {
		s.logger.Error("a page could not be rendered", "path", loggedPath(r), "error", err)
		http.Error(w, "The page could not be rendered.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Accept-Language, Cookie, Sec-Fetch-Mode, Sec-Fetch-Dest")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w) // the browser is gone: nothing to be done
}

// backFromGitHub is the parameter of the page and of its fragment with which somebody
// comes back from GitHub, where they may have chosen other repositories.
const backFromGitHub = "back"

// page is the service's root. It answers below 500 whatever is broken behind
// it: the Hub waits for that at its start.
func (s *Server) page(w http.ResponseWriter, r *http.Request) error {
	session, err := s.auth.Session(r, false)
	sent := r.URL.Query().Get("setup_action") == "request" // GitHub's word, for who has asked for the App
	if errors.Is(err, hubauth.ErrSignedOut) {
		next := ""
		if sent {
			next = "?setup_action=request"
		}
		return s.auth.Login(w, r, next)
	}
	if err != nil {
		return s.unavailable(w, r, "", err)
	}
	s.takeUp(r.Context(), session)
	s.lookIfBack(r, session)
	view, err := s.view(r.Context(), session)
	if err != nil {
		return s.unavailable(w, r, session.User, err)
	}
	view.RequestSent, view.LoadAgain = sent, r.URL.Query().Has(backFromGitHub)
	if hubauth.Navigation(r) {
		view.CSRF = session.CSRF.Reveal()
	}
	s.writeHTML(w, r, http.StatusOK, func(lang string, out *page) error { return s.pages.Page(out, lang, view) })
	return nil
}

// unavailable shows the page in its state "unavailable", and says in the log
// what is behind it.
func (s *Server) unavailable(w http.ResponseWriter, r *http.Request, user string, cause error) error {
	shown := asError(cause)
	if shown.Status() < 500 {
		return cause
	}
	s.logger.Error("the page is unavailable", "code", shown.Code, "error", cause)
	w.Header().Set("Retry-After", seconds(max(shown.RetryAfter, retryLater)))
	view := s.unavailableView(user, shown)
	s.writeHTML(w, r, http.StatusOK, func(lang string, out *page) error { return s.pages.Page(out, lang, view) })
	return nil
}

// fragment is the inside of the page, for the script to swap in. It never has
// the CSRF token, since any script on this origin can fetch it.
func (s *Server) fragment(w http.ResponseWriter, r *http.Request) error {
	session, err := s.auth.Session(r, false)
	if err != nil {
		return err
	}
	if err := s.keepUp(r, session); err != nil {
		return err
	}
	s.lookIfBack(r, session)
	view, err := s.view(r.Context(), session)
	if err != nil {
		return err
	}
	s.writeHTML(w, r, http.StatusOK, func(lang string, out *page) error { return s.pages.Fragment(out, lang, view) })
	return nil
}

// lookIfBack plans a look at GitHub for somebody who comes back from there, by a link of
// the page or by GitHub's own (setup_action).
func (s *Server) lookIfBack(r *http.Request, session hubauth.Session) {
	if query := r.URL.Query(); query.Has(backFromGitHub) || query.Has("setup_action") {
		s.logNotTakenUp(session, s.flows.BackFromGitHub(r.Context(), of(session).forFlow()))
	}
}

// keepUp continues what stands still for want of the user's Hub token while they have
// the page open: nobody loads it for that. The Hub is asked whether it still knows the
// token, since one that it refuses would be tried again at each look at the page.
func (s *Server) keepUp(r *http.Request, session hubauth.Session) error {
	user, err := s.flows.Of(r.Context(), of(session).forFlow())
	if err != nil || !s.flows.AwaitsSignIn(user) {
		return err
	}
	if session, err = s.auth.Session(r, true); err != nil {
		return err
	}
	return s.flows.SignedIn(r.Context(), of(session).forFlow())
}

// callback ends the login at the Hub. Deliveries that waited for the user's
// return go on.
func (s *Server) callback(w http.ResponseWriter, r *http.Request) error {
	session, next, err := s.auth.Callback(w, r)
	if err != nil {
		return err
	}
	s.takeUp(r.Context(), session)
	http.Redirect(w, r, s.prefix+next[len("./"):], http.StatusFound)
	return nil
}

// takeUp continues what waited for the user to be here: deliveries and
// removals that need a Hub token, and a look at what the connection reaches.
// The page shows what is known either way.
func (s *Server) takeUp(ctx context.Context, session hubauth.Session) {
	present := of(session).forFlow()
	s.logNotTakenUp(session, errors.Join(s.flows.SignedIn(ctx, present), s.flows.Recheck(ctx, present, recheckAge)))
}

func (s *Server) logNotTakenUp(session hubauth.Session, err error) {
	if err != nil {
		s.logger.Error("what waited for the user was not taken up", "user", session.User, "error", err)
	}
}

// The forms work without the script; each leads back to the page.

func (s *Server) formConnect(w http.ResponseWriter, r *http.Request, c caller) error {
	if r.PostForm.Get("mode") == string(flow.Web) {
		return s.redirectToGitHub(w, r, c)
	}
	_, _, err := s.flows.Start(r.Context(), c.forFlow(), flow.Request{Servers: r.PostForm["server"]})
	return s.backToPage(w, r, err)
}

func (s *Server) formCancel(w http.ResponseWriter, r *http.Request, c caller) error {
	_, err := s.flows.Cancel(r.Context(), c.forFlow())
	return s.backToPage(w, r, err)
}

func (s *Server) formDisconnect(w http.ResponseWriter, r *http.Request, c caller) error {
	_, err := s.flows.Disconnect(r.Context(), c.forFlow())
	return s.backToPage(w, r, err)
}

func (s *Server) formDeliver(w http.ResponseWriter, r *http.Request, c caller) error {
	_, err := s.flows.Deliver(r.Context(), c.forFlow(), r.PostForm["server"], false)
	return s.backToPage(w, r, err)
}

func (s *Server) formStart(w http.ResponseWriter, r *http.Request, c caller) error {
	_, err := s.flows.Deliver(r.Context(), c.forFlow(), r.PostForm["server"], s.canStart)
	return s.backToPage(w, r, err)
}

// backToPage: what another tab has done already is no error to a person.
func (s *Server) backToPage(w http.ResponseWriter, r *http.Request, err error) error {
	if apierror.Is(err, apierror.CodeNoFlow) || apierror.Is(err, apierror.CodeNotConnected) {
		err = nil
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, s.prefix, http.StatusSeeOther)
	return nil
}
