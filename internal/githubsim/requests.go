package githubsim

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
)

// installationRequest is a member's wish that an owner installs an App on an
// organisation. It ends with the installation, or with the owner's no.
type installationRequest struct {
	id        int64
	app       *App
	account   *Account
	requester string
	created   time.Time
}

// RequestApp sends a member's request to install the first App on an organisation,
// as the App's page does. It leaves no installation.
func (s *Server) RequestApp(org, login string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	app, account := s.apps[s.appOrder[0]], s.account(org)
	if account == nil || s.membership(login, account) != "member" {
		return fmt.Errorf("request for %q by %q: not by a member who is no owner", org, login)
	}
	s.ask(app, account, login)
	return nil
}

// DeclineRequests is an owner's no to all requests for an organisation.
func (s *Server) DeclineRequests(org string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = slices.DeleteFunc(s.asked, func(q *installationRequest) bool { return strings.EqualFold(q.account.Login, org) })
}

// ask adds a request; a second one of the same person is the first.
func (s *Server) ask(app *App, account *Account, login string) {
	if !s.hasAsked(app, account, login) {
		s.asked = append(s.asked, &installationRequest{s.nextID(), app, account, login, s.Now()})
	}
}

func (s *Server) hasAsked(app *App, account *Account, login string) bool {
	return slices.ContainsFunc(s.asked, func(q *installationRequest) bool {
		return q.app == app && q.account == account && strings.EqualFold(q.requester, login)
	})
}

// answered ends the requests for an App that is now installed on the account.
func (s *Server) answered(app *App, account *Account) {
	s.asked = slices.DeleteFunc(s.asked, func(q *installationRequest) bool { return q.app == app && q.account == account })
}

// installationRequests is GET /app/installation-requests: for the App alone, users'
// tokens have nothing like it.
func (s *Server) installationRequests(c *call) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []map[string]any{}
	for _, q := range s.asked {
		if q.app == c.app {
			list = append(list, map[string]any{"id": q.id, "node_id": fmt.Sprintf("MDI4OkludGVncmF0aW9u%d", q.id), "created_at": q.created.UTC(),
				"account": s.accountJSON(q.account), "requester": s.accountJSON(s.account(q.requester))})
		}
	}
	return paged(s, c, "", list, nil)
}

// requestInstallation is the form of a member who may not install.
func (s *Server) requestInstallation(n *session, r *http.Request) reply {
	app, account := s.appBySlug(chi.URLParam(r, "slug")), s.account(r.FormValue("target"))
	if app == nil || account == nil || app.Private || s.membership(n.login, account) != "member" {
		return s.pageError(http.StatusNotFound, "You cannot ask for this App there.")
	}
	if s.installationOf(app, account.Login) == nil {
		s.ask(app, account, n.login)
	}
	if app.SetupURL != "" {
		return redirect(setUp(app, url.Values{"setup_action": {"request"}}))
	}
	return n.page("message.html", "Install "+app.Name, map[string]string{"ID": "requested",
		"Text": "An owner of " + account.Login + " was asked to install " + app.Name + "."})
}

// setUp is the App's setup address with what GitHub adds to it.
func setUp(app *App, with url.Values) string {
	address, err := url.Parse(app.SetupURL)
	if err != nil {
		return app.SetupURL
	}
	query := address.Query()
	for name, values := range with {
		query[name] = values
	}
	address.RawQuery = query.Encode()
	return address.String()
}
