package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/audit"
	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/hubauth"
	"github.com/ghscoped/ghscoped-service/web"
)

const (
	// adminEvents is how many events of the audit the admin's page shows.
	adminEvents = 100
	// adminRepositories is how many repositories of an event it names.
	adminRepositories = 5
	// adminPage is how many records are read at once.
	adminPage = 200
)

// History is what the server asks of the audit.
type History interface {
	// Recent returns up to limit events, the newest first.
	Recent(ctx context.Context, limit int) ([]audit.Event, error)
	// Each calls do for every event that is remembered, the newest first.
	Each(ctx context.Context, do func(audit.Event)) error
}

// isAdmin reports whether a user sees the admin's page.
func (s *Server) isAdmin(user hub.User) bool {
	return s.adminScope != "" && slices.Contains(user.Scopes, s.adminScope)
}

// admin wraps what only admins may do. To anybody else there is nothing here.
// The Hub is asked each time: a right that was taken away is gone at once.
func (s *Server) admin(next func(w http.ResponseWriter, r *http.Request, session hubauth.Session) error) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		session, err := s.auth.Session(r, true)
		if errors.Is(err, hubauth.ErrSignedOut) && reads(r.Method) {
			return s.auth.Login(w, r, s.pathAndQuery(r))
		}
		if err != nil {
			return err
		}
		if !s.isAdmin(session.Holder) {
			return errNotFound
		}
		return next(w, r, session)
	}
}

// longestQuery bounds what of a query survives a login, in a cookie.
const longestQuery = 100

// pathAndQuery is what was asked for, below the prefix.
func (s *Server) pathAndQuery(r *http.Request) string {
	path := strings.TrimPrefix(r.URL.Path, s.prefix)
	if r.URL.RawQuery == "" || len(r.URL.RawQuery) > longestQuery {
		return path
	}
	return path + "?" + r.URL.RawQuery
}

// adminPage shows who is connected and what happened last, without any token.
func (s *Server) adminPage(w http.ResponseWriter, r *http.Request, session hubauth.Session) error {
	view := web.AdminView{User: session.User, Now: s.clock()}
	if hubauth.Navigation(r) {
		view.CSRF = session.CSRF.Reveal()
	}
	err := s.eachUser(r.Context(), func(user *flow.User) error {
		if user.Connection != nil {
			view.Connections = append(view.Connections, adminConnection(user))
		}
		if user.BoundAccount != 0 {
			view.Bound = append(view.Bound, web.AdminBound{User: user.Name, ID: user.BoundAccount, Login: user.BoundLogin})
		}
		return nil
	})
	if err != nil {
		return err
	}
	if view.Bots, err = s.adminBots(r.Context()); err != nil {
		return err
	}
	events, err := s.history.Recent(r.Context(), adminEvents)
	if err != nil {
		return err
	}
	for _, event := range events {
		view.Events = append(view.Events, adminEvent(event))
	}
	s.writeHTML(w, r, http.StatusOK, func(lang string, out *page) error { return s.pages.Admin(out, lang, view) })
	return nil
}

func adminEvent(event audit.Event) web.AdminEvent {
	view := web.AdminEvent{
		Time: event.Time, Action: event.Action, User: cmp.Or(event.User, event.Caller), Account: event.Account,
		Server: event.Server, Outcome: event.Outcome, Code: event.Code, Reason: event.Reason, Why: event.Why,
		Rule: event.Rule, Repositories: event.Repositories, Permissions: permissionsOf(event), By: event.By,
	}
	shown := min(len(view.Repositories), adminRepositories)
	if more := len(view.Repositories) - shown + event.RepositoriesLeftOut; more > 0 {
		view.Repositories = append(slices.Clone(view.Repositories[:shown]), fmt.Sprintf("+ %d", more))
	}
	return view
}

func adminConnection(user *flow.User) web.AdminConnection {
	connection := web.AdminConnection{
		User: user.Name, Login: user.Connection.Account.Login,
		Since: user.Connection.Since, ExpiresAt: user.Connection.Token.ExpiresAt,
	}
	for _, d := range user.Deliveries {
		connection.Servers = append(connection.Servers, web.Server{Name: d.Server, State: web.ServerState(d.State), Method: d.Method})
	}
	return connection
}

// eachUser calls do for every user of whom there is a record.
func (s *Server) eachUser(ctx context.Context, do func(*flow.User) error) error {
	for after := ""; ; {
		users, next, err := s.flows.Users(ctx, after, adminPage)
		if err != nil {
			return err
		}
		for _, user := range users {
			if err := do(user); err != nil {
				return err
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}

func (s *Server) adminDisconnect(w http.ResponseWriter, r *http.Request, session hubauth.Session) error {
	if err := s.checkForm(w, r, session); err != nil {
		return err
	}
	return s.backToAdmin(w, r, s.end(r.Context(), r.PostForm.Get("user"), session))
}

func (s *Server) adminDisconnectAll(w http.ResponseWriter, r *http.Request, session hubauth.Session) error {
	if err := s.checkForm(w, r, session); err != nil {
		return err
	}
	return s.backToAdmin(w, r, s.eachUser(r.Context(), func(user *flow.User) error {
		return s.end(r.Context(), user.Name, session)
	}))
}

// adminForget has the GitHub account that is bound to a user forgotten; where
// there is none any more, that is no error.
func (s *Server) adminForget(w http.ResponseWriter, r *http.Request, session hubauth.Session) error {
	if err := s.checkForm(w, r, session); err != nil {
		return err
	}
	return s.backToAdmin(w, r, s.flows.ForgetAccount(r.Context(), r.PostForm.Get("user"), "admin "+session.User))
}

// end ends one connection; one that is over already is no error.
func (s *Server) end(ctx context.Context, name string, by hubauth.Session) error {
	_, err := s.flows.EndConnection(ctx, name, "admin "+by.User)
	if apierror.Is(err, apierror.CodeNotConnected) {
		return nil
	}
	return err
}

func (s *Server) backToAdmin(w http.ResponseWriter, r *http.Request, err error) error {
	if err != nil {
		return err
	}
	http.Redirect(w, r, s.prefix+"admin", http.StatusSeeOther)
	return nil
}
