package server

import (
	"errors"
	"net/http"

	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/hubauth"
	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/web"
)

// redirectToGitHub begins a web flow and answers with a page that opens GitHub by
// itself: a status 303 would not do, since browsers apply the policy's form-action
// to the redirect of a form as well.
func (s *Server) redirectToGitHub(w http.ResponseWriter, r *http.Request, c caller) error {
	address, _, err := s.flows.StartWeb(r.Context(), c.forFlow(),
		flow.Request{Servers: r.PostForm["server"], Redirect: s.gitHubCallbackURL()})
	if err != nil {
		return err
	}
	view := web.RedirectView{User: c.user, URL: address}
	s.writeHTML(w, r, http.StatusOK, func(lang string, out *page) error { return s.pages.Redirect(out, lang, view) })
	return nil
}

// gitHubCallbackURL is where GitHub sends the browser back to. Where the public
// address is not known it is left to GitHub, which takes the App's first one.
func (s *Server) gitHubCallbackURL() string {
	if s.publicURL == nil {
		return ""
	}
	return s.publicURL.JoinPath("github_callback").String()
}

// gitHubCallback takes GitHub's answer for the user who is signed in here. The
// state binds it to an attempt of that very user (RFC 6749, 10.12), and a page to
// the person, unless they have confirmed this GitHub account before.
func (s *Server) gitHubCallback(w http.ResponseWriter, r *http.Request) error {
	session, err := s.auth.Session(r, true)
	if errors.Is(err, hubauth.ErrSignedOut) {
		return s.auth.Login(w, r, "") // the attempt is lost, and a new one is a click away
	}
	if err != nil {
		return err
	}
	if !hubauth.Navigation(r) {
		return errNoPage
	}
	query, by := r.URL.Query(), of(session).forFlow()
	state, code := query.Get("state"), query.Get("code")
	if reason := query.Get("error"); reason != "" {
		_, err = s.flows.FailWeb(r.Context(), by, state, reason)
		return s.backToPage(w, r, err)
	}
	if _, err := s.flows.CompleteWeb(r.Context(), by, state, code); err != nil {
		return err
	}
	confirmation, user, err := s.flows.AskToConfirm(r.Context(), by, state, code)
	if err != nil || confirmation.Empty() {
		return s.backToPage(w, r, err)
	}
	view := web.ConfirmView{
		CSRF: session.CSRF.Reveal(), User: session.User, Login: user.Flow.Account.Login,
		Confirmation: confirmation.Reveal(), ExpiresAt: user.Flow.ExpiresAt, Now: s.clock(),
	}
	s.writeHTML(w, r, http.StatusOK, func(lang string, out *page) error { return s.pages.Confirm(out, lang, view) })
	return nil
}

// formConfirm takes the click on that page. Where nothing waits for it any more
// the page says what has become of it.
func (s *Server) formConfirm(w http.ResponseWriter, r *http.Request, c caller) error {
	_, err := s.flows.Confirm(r.Context(), c.forFlow(), secret.New(r.PostForm.Get("confirmation")))
	return s.backToPage(w, r, err)
}
