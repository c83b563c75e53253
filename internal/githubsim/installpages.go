package githubsim

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
)

// appPage is /apps/{slug}: what the App is and where to install it.
func (s *Server) appPage(n *session, r *http.Request) reply {
	app := s.appBySlug(chi.URLParam(r, "slug"))
	if app == nil {
		return s.pageError(http.StatusNotFound, "There is no such App.")
	}
	return n.page("app.html", app.Name, app)
}

// installTarget is one line of the page that asks where to install.
type installTarget struct {
	Account   *Account
	Installed string // address of the installation, if there is one
	Ask       bool   // an owner has to install it
	Asked     bool   // and was asked
}

func (s *Server) chooseAccount(n *session, r *http.Request) reply {
	app := s.appBySlug(chi.URLParam(r, "slug"))
	if app == nil {
		return s.pageError(http.StatusNotFound, "There is no such App.")
	}
	var targets []installTarget
	for _, login := range s.order {
		a := s.account(login)
		owns := s.administers(n.login, a)
		if (!owns && s.membership(n.login, a) == "") || (app.Private && !strings.EqualFold(app.Owner, a.Login)) {
			continue
		}
		t := installTarget{Account: a, Ask: !owns}
		switch i := s.installationOf(app, a.Login); {
		case i != nil && owns:
			t.Installed = i.path()
		case i != nil:
			continue // there is nothing to ask for
		}
		t.Asked = s.hasAsked(app, a, n.login)
		targets = append(targets, t)
	}
	return n.page("accounts.html", "Install "+app.Name, map[string]any{"App": app, "Targets": targets})
}

// path is the installation's page: an organisation's lies elsewhere than a person's.
func (i *installation) path() string {
	if i.account.Org {
		return fmt.Sprintf("/organizations/%s/settings/installations/%d", i.account.Login, i.id)
	}
	return fmt.Sprintf("/settings/installations/%d", i.id)
}

// installTo finds the App and the account of an installation form, if n may use it.
func (s *Server) installTo(n *session, r *http.Request) (*App, *Account) {
	app := s.appBySlug(chi.URLParam(r, "slug"))
	account := s.account(r.FormValue("target"))
	if app == nil || account == nil || !s.administers(n.login, account) || (app.Private && !strings.EqualFold(app.Owner, account.Login)) {
		return nil, nil
	}
	return app, account
}

// repoChoice is one check box.
type repoChoice struct {
	Repo    *repository
	Checked bool
}

func (s *Server) choices(account *Account, i *installation) []repoChoice {
	var list []repoChoice
	for _, repo := range s.sortedRepos() {
		if strings.EqualFold(repo.owner, account.Login) {
			list = append(list, repoChoice{repo, i != nil && i.repos[repo.ID]})
		}
	}
	return list
}

func (s *Server) chooseRepositories(n *session, r *http.Request) reply {
	app, account := s.installTo(n, r)
	if app == nil {
		return s.pageError(http.StatusNotFound, "You cannot install this App there.")
	}
	if i := s.installationOf(app, account.Login); i != nil {
		return redirect(i.path())
	}
	return n.page("install.html", "Install "+app.Name, map[string]any{"App": app, "Account": account,
		"Action": "/apps/" + app.Slug + "/installations/new/permissions", "Choices": s.choices(account, nil), "All": false})
}

func (s *Server) install(n *session, r *http.Request) reply {
	app, account := s.installTo(n, r)
	if app == nil {
		return s.pageError(http.StatusNotFound, "You cannot install this App there.")
	}
	all, ids, err := s.selection(r, account)
	if err != nil {
		return s.chooseRepositories(n, r).withError(http.StatusUnprocessableEntity, err.Error())
	}
	i := s.installationOf(app, account.Login)
	if i == nil {
		i = s.newInstallation(app, account)
	}
	i.all, i.repos = all, ids
	if app.SetupURL != "" {
		return redirect(setUp(app, url.Values{"installation_id": {strconv.FormatInt(i.id, 10)}, "setup_action": {"install"}}))
	}
	return redirect(i.path())
}

// selection reads the two-way choice of the form.
func (s *Server) selection(r *http.Request, account *Account) (all bool, ids map[int64]bool, err error) {
	if r.PostFormValue("repository_selection") == "all" {
		return true, nil, nil
	}
	ids = map[int64]bool{}
	for _, v := range r.PostForm["repository_ids"] {
		id, _ := strconv.ParseInt(v, 10, 64)
		if repo := s.repoByID(id); repo != nil && strings.EqualFold(repo.owner, account.Login) {
			ids[id] = true
		}
	}
	if len(ids) == 0 {
		return false, nil, fmt.Errorf("choose at least one repository")
	}
	return false, ids, nil
}

func (s *Server) installationsPage(n *session, _ *http.Request) reply {
	var list []map[string]string
	for _, i := range s.sortedInstallations() {
		if s.administers(n.login, i.account) {
			list = append(list, map[string]string{"App": i.app.Name, "Account": i.account.Login, "Path": i.path()})
		}
	}
	return n.page("installations.html", "Installed GitHub Apps", list)
}

// ownInstallation is the installation of the address, if n administers its account.
func (s *Server) ownInstallation(n *session, r *http.Request) *installation {
	id, _ := strconv.ParseInt(chi.URLParam(r, "id"), 10, 64)
	i := s.installations[id]
	if i == nil || !s.administers(n.login, i.account) {
		return nil
	}
	return i
}

func (s *Server) installationPage(n *session, r *http.Request) reply {
	i := s.ownInstallation(n, r)
	if i == nil {
		return s.pageError(http.StatusNotFound, "There is no such installation.")
	}
	return n.page("installation.html", i.app.Name, map[string]any{"App": i.app, "Account": i.account, "Action": i.path(),
		"Choices": s.choices(i.account, i), "All": i.all, "Suspended": !i.suspended.IsZero(), "Saved": r.URL.Query().Get("saved") != ""})
}

// changeInstallation serves the three forms of the installation's page.
func (s *Server) changeInstallation(n *session, r *http.Request) reply {
	i := s.ownInstallation(n, r)
	if i == nil {
		return s.pageError(http.StatusNotFound, "There is no such installation.")
	}
	switch r.PostFormValue("do") {
	case "uninstall":
		s.uninstall(i)
		return redirect("/settings/installations")
	case "suspend":
		i.suspended = s.Now()
	case "unsuspend":
		i.suspended = time.Time{}
	default:
		all, ids, err := s.selection(r, i.account)
		if err != nil {
			return s.installationPage(n, r).withError(http.StatusUnprocessableEntity, err.Error())
		}
		i.all, i.repos = all, ids
	}
	return redirect(i.path() + "?saved=1")
}
