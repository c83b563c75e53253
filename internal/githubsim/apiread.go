package githubsim

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"
)

func (s *Server) accountJSON(a *Account) map[string]any {
	kind := "User"
	if a.Org {
		kind = "Organization"
	}
	return map[string]any{"id": a.ID, "login": a.Login, "type": kind, "html_url": s.url + "/" + a.Login,
		"avatar_url": s.url + "/assets/avatar.svg", "url": s.apiURL + "/users/" + a.Login, "site_admin": false}
}

// getUser is GET /user. Name and e-mail are null where the person gave none.
func (s *Server) getUser(c *call) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	return ok(s.profile(s.account(c.token.login)))
}

func (s *Server) profile(a *Account) map[string]any {
	body := s.accountJSON(a)
	body["name"], body["email"] = nullable(a.Name), nullable(a.Email)
	return body
}

func nullable(v string) any {
	if v == "" {
		return nil
	}
	return v
}

// getUserByLogin serves people, organisations and Apps' bots.
func (s *Server) getUserByLogin(c *call) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	login := chi.URLParam(c.Request, "login")
	if slug, isBot := strings.CutSuffix(login, "[bot]"); isBot {
		if app := s.appBySlug(slug); app != nil {
			body := s.accountJSON(&Account{Login: login, ID: botID(app)})
			body["type"] = "Bot"
			return ok(body)
		}
	}
	a := s.account(login)
	if a == nil {
		return fail(http.StatusNotFound, "Not Found")
	}
	return ok(s.profile(a))
}

// botID is a bot's id, another than its App's.
func botID(app *App) int64 { return app.ID + 40_000_000 }

func (s *Server) repoJSON(r *repository, role int) map[string]any {
	body := map[string]any{
		"id": r.ID, "node_id": "R_" + sha(r.FullName)[:16], "name": r.name, "full_name": r.FullName, "private": r.Private, "default_branch": "main",
		"owner": s.accountJSON(s.account(r.owner)), "html_url": s.url + "/" + r.FullName, "clone_url": s.url + "/" + r.FullName + ".git",
		"url": s.apiURL + "/repos/" + r.FullName, "archived": r.Archived, "visibility": map[bool]string{true: "private", false: "public"}[r.Private],
		"permissions": map[string]bool{"pull": role >= 1, "triage": role >= 2, "push": role >= 2, "maintain": role >= 3, "admin": role >= 3},
		"description": nil, "homepage": nil, "language": nil, "license": nil, "mirror_url": nil, "topics": []string{}, "size": 108,
		"stargazers_count": 80, "watchers_count": 80, "forks_count": 9, "open_issues_count": 0, "has_issues": true, "has_projects": true,
		"has_wiki": true, "has_pages": false, "has_discussions": false, "disabled": false, "allow_forking": true, "is_template": false,
		"git_url": "git://" + r.FullName + ".git", "ssh_url": "git@" + r.FullName + ".git", "svn_url": s.url + "/" + r.FullName,
		"hooks_url": s.apiURL + "/repos/" + r.FullName + "/hooks",
	}
	// GitHub sends these with each repository, which makes it some 6 kB.
	for _, of := range repositoryAddresses {
		name, path, _ := strings.Cut(of, " ")
		body[name+"_url"] = s.apiURL + "/repos/" + r.FullName + path
	}
	return body
}

var repositoryAddresses = []string{
	"archive /{archive_format}{/ref}", "assignees /assignees{/user}", "blobs /git/blobs{/sha}", "branches /branches{/branch}",
	"collaborators /collaborators{/collaborator}", "comments /comments{/number}", "commits /commits{/sha}", "compare /compare/{base}...{head}",
	"contents /contents/{+path}", "contributors /contributors", "deployments /deployments", "downloads /downloads", "events /events",
	"forks /forks", "git_commits /git/commits{/sha}", "git_refs /git/refs{/sha}", "git_tags /git/tags{/sha}",
	"issue_comment /issues/comments{/number}", "issue_events /issues/events{/number}", "issues /issues{/number}", "keys /keys{/key_id}",
	"labels /labels{/name}", "languages /languages", "merges /merges", "milestones /milestones{/number}",
	"notifications /notifications{?since,all,participating}", "pulls /pulls{/number}", "releases /releases{/id}",
	"stargazers /stargazers", "statuses /statuses/{sha}", "subscribers /subscribers", "subscription /subscription", "tags /tags",
	"teams /teams", "trees /git/trees{/sha}",
}

func (s *Server) installationJSON(i *installation) map[string]any {
	selection := "selected"
	if i.all {
		selection = "all"
	}
	kind := "User"
	if i.account.Org {
		kind = "Organization"
	}
	body := map[string]any{
		"id": i.id, "account": s.accountJSON(i.account), "app_id": i.app.ID, "app_slug": i.app.Slug, "client_id": i.app.ClientID,
		"target_type": kind, "target_id": i.account.ID, "repository_selection": selection, "permissions": i.permissions, "events": []string{},
		"html_url": s.url + i.path(), "created_at": i.created.UTC(), "updated_at": i.created.UTC(), "suspended_at": nil, "suspended_by": nil,
		"repositories_url":  s.apiURL + "/installation/repositories",
		"access_tokens_url": fmt.Sprintf("%s/app/installations/%d/access_tokens", s.apiURL, i.id),
	}
	if !i.suspended.IsZero() {
		body["suspended_at"] = i.suspended.UTC()
	}
	return body
}

// reaches says whether a person was given anything in an installation: its
// account, a membership, or a repository.
func (s *Server) reaches(login string, i *installation) bool {
	if s.administers(login, i.account) || s.membership(login, i.account) != "" {
		return true
	}
	for _, r := range s.repos {
		if i.includes(r) && s.role(login, r) > 0 {
			return true
		}
	}
	return false
}

func (s *Server) userInstallations(c *call) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []map[string]any{}
	for _, i := range s.sortedInstallations() {
		if i.app == c.token.app && s.reaches(c.token.login, i) {
			list = append(list, s.installationJSON(i))
		}
	}
	return paged(s, c, "installations", list, nil)
}

func (s *Server) userInstallationRepos(c *call) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, _ := strconv.ParseInt(chi.URLParam(c.Request, "id"), 10, 64)
	i := s.installations[id]
	if i == nil || i.app != c.token.app || !s.reaches(c.token.login, i) {
		return fail(http.StatusNotFound, "Not Found")
	}
	if !i.suspended.IsZero() {
		return fail(http.StatusForbidden, "This installation has been suspended")
	}
	list := []map[string]any{}
	hidden := s.hiddenBySAML(c.token, i.account.Login)
	for _, r := range s.sortedRepos() {
		if !hidden && i.includes(r) && s.role(c.token.login, r) > 0 && (c.token.repos == nil || c.token.repos[r.ID]) {
			list = append(list, s.repoJSON(r, s.role(c.token.login, r)))
		}
	}
	p := paged(s, c, "repositories", list, map[string]any{"repository_selection": s.installationJSON(i)["repository_selection"]})
	if hidden {
		p = p.with("X-GitHub-SSO", fmt.Sprintf("partial-results; organizations=%d", i.account.ID))
	}
	return p
}

// visibleRepo is the repository of the address, if the caller may see it.
func (s *Server) visibleRepo(c *call) (*repository, *reply) {
	r := s.repo(chi.URLParam(c.Request, "owner") + "/" + chi.URLParam(c.Request, "repo"))
	if r != nil && s.sees(c.token, r) {
		return r, nil
	}
	p := fail(http.StatusNotFound, "Not Found")
	if r != nil && c.token != nil && s.hiddenBySAML(c.token, r.owner) {
		p = s.samlRefusal(r.owner)
	}
	return nil, &p
}

func (s *Server) getRepo(c *call) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, refusal := s.visibleRepo(c)
	if refusal != nil {
		return *refusal
	}
	body := s.repoJSON(r, s.apiRole(c.token, r))
	if c.token == nil {
		delete(body, "permissions")
	}
	return ok(body)
}

func (s *Server) apiRole(t *token, r *repository) int {
	switch {
	case t == nil:
		return levels["read"]
	case t.installation == nil:
		return max(s.role(t.login, r), levels["read"])
	case s.covers(t, r, "contents", "write"):
		return levels["write"]
	}
	return levels["read"]
}
