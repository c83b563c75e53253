package githubsim

import (
	"net/http"
	"strings"
)

// scopeRequest is the rest of the body of POST /applications/{client_id}/token/scoped.
type scopeRequest struct {
	Target        string            `json:"target"`
	TargetID      int64             `json:"target_id"`
	Repositories  []string          `json:"repositories"`
	RepositoryIDs []int64           `json:"repository_ids"`
	Permissions   map[string]string `json:"permissions"`
}

// scopeToken is "Create a scoped access token": of a person's wide token it
// makes another one for some repositories of one account, or with fewer
// permissions. That one stays valid. Neither's end is the other's: GitHub says
// nothing of that, and so a client that forgets one is found out.
func (s *Server) scopeToken(app *App, wide *token, in applicationBody) reply {
	target := s.scopeTarget(in.scopeRequest)
	switch {
	case in.Target == "" && in.TargetID == 0,
		in.Repositories != nil && in.RepositoryIDs != nil,
		wide.repos != nil || wide.permissions != nil: // it takes a non-scoped token
		return fail(http.StatusUnprocessableEntity, "Validation Failed")
	case target == nil:
		return fail(http.StatusNotFound, "Not Found")
	}
	i := s.installationOf(app, target.Login)
	if i == nil {
		return fail(http.StatusUnprocessableEntity, "Validation Failed")
	}
	repos, found := s.scopeRepos(wide, target, in.scopeRequest)
	if !found {
		return fail(http.StatusUnprocessableEntity, "Validation Failed")
	}
	for name, level := range in.Permissions {
		if levels[level] == 0 || !grantsLevel(i.permissions, name, level) {
			return fail(http.StatusUnprocessableEntity, "Validation Failed")
		}
	}
	var permissions map[string]string
	if len(in.Permissions) > 0 {
		permissions = withMetadata(in.Permissions)
	}
	t := &token{value: "ghu_" + randomFrom(base62, 36), app: app, login: wide.login, via: "scoped", signedOn: wide.signedOn,
		repos: repos, permissions: permissions, issued: s.Now(), expires: wide.expires}
	s.keep(t)
	s.evict(app, wide.login)
	return ok(s.authorization(app, t))
}

func (s *Server) scopeTarget(in scopeRequest) *Account {
	for _, a := range s.accounts {
		if (in.TargetID != 0 && a.ID == in.TargetID) || (in.TargetID == 0 && strings.EqualFold(a.Login, in.Target)) {
			return a
		}
	}
	return nil
}

// scopeRepos resolves what a token is narrowed to: repositories of one account
// that the wide token reaches; all of these where none is named.
func (s *Server) scopeRepos(wide *token, target *Account, in scopeRequest) (ids map[int64]bool, found bool) {
	ids = map[int64]bool{}
	add := func(r *repository) bool {
		if r == nil || !strings.EqualFold(r.owner, target.Login) || !s.covers(wide, r, "metadata", "read") {
			return false
		}
		ids[r.ID] = true
		return true
	}
	for _, name := range in.Repositories {
		if strings.Contains(name, "/") || !add(s.repo(target.Login+"/"+name)) {
			return nil, false
		}
	}
	for _, id := range in.RepositoryIDs {
		if !add(s.repoByID(id)) {
			return nil, false
		}
	}
	if len(ids) == 0 {
		for _, r := range s.repos {
			add(r)
		}
	}
	return ids, true
}
