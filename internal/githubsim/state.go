package githubsim

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// repository is a seeded Repository and its bare folder, made when first needed.
type repository struct {
	Repository
	owner, name string
	once        sync.Once
	dir         string
	err         error
	lfs         map[string]int64 // size by oid, of the objects that were verified
}

// installation is one App on one account.
type installation struct {
	id          int64
	app         *App
	account     *Account
	all         bool
	repos       map[int64]bool // when not all
	permissions map[string]string
	created     time.Time
	suspended   time.Time
}

// levels orders what a role or a permission may do.
var levels = map[string]int{"read": 1, "write": 2, "admin": 3}

func (s *Server) account(login string) *Account { return s.accounts[strings.ToLower(login)] }

func (s *Server) repo(fullName string) *repository { return s.repos[strings.ToLower(fullName)] }

func (s *Server) repoByID(id int64) *repository {
	for _, r := range s.repos {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// sortedRepos are all repositories in the order of their ids.
func (s *Server) sortedRepos() []*repository {
	return slices.SortedFunc(maps.Values(s.repos), func(a, b *repository) int { return int(a.ID - b.ID) })
}

func (s *Server) sortedInstallations() []*installation {
	return slices.SortedFunc(maps.Values(s.installations), func(a, b *installation) int { return int(a.id - b.id) })
}

func (s *Server) appBySlug(slug string) *App {
	for _, a := range s.apps {
		if a.Slug == slug {
			return a
		}
	}
	return nil
}

// role is what login was given on r by name: 0 none, else a value of levels.
// That anyone reads a public repository is not a role.
func (s *Server) role(login string, r *repository) int {
	if strings.EqualFold(login, r.owner) {
		return levels["admin"]
	}
	best := 0
	for who, role := range r.Collaborators {
		if strings.EqualFold(who, login) {
			best = levels[role]
		}
	}
	switch s.membership(login, s.account(r.owner)) {
	case "admin":
		return levels["admin"]
	case "member":
		return max(best, levels["read"])
	}
	return best
}

func (s *Server) membership(login string, org *Account) string {
	if org == nil || !org.Org {
		return ""
	}
	for who, role := range org.Members {
		if strings.EqualFold(who, login) {
			return role
		}
	}
	return ""
}

// administers says whether login may install Apps on account.
func (s *Server) administers(login string, account *Account) bool {
	return strings.EqualFold(login, account.Login) || s.membership(login, account) == "admin"
}

func (s *Server) installationOf(app *App, account string) *installation {
	for _, i := range s.installations {
		if i.app == app && strings.EqualFold(i.account.Login, account) {
			return i
		}
	}
	return nil
}

func (i *installation) includes(r *repository) bool {
	return strings.EqualFold(r.owner, i.account.Login) && (i.all || i.repos[r.ID])
}

// grantsLevel says whether permissions name p at least at level.
func grantsLevel(permissions map[string]string, p, level string) bool {
	return levels[permissions[p]] >= levels[level]
}

// covers says whether t reaches r with the App's permission p at level. It is
// GitHub's rule: what the installation, the user and the token's narrowing all allow.
func (s *Server) covers(t *token, r *repository, p, level string) bool {
	i := t.installation
	if i == nil {
		i = s.installationOf(t.app, r.owner)
	}
	if i == nil || !i.suspended.IsZero() || !i.includes(r) {
		return false
	}
	if (t.repos != nil && !t.repos[r.ID]) || (t.permissions != nil && !grantsLevel(t.permissions, p, level)) {
		return false
	}
	if t.installation != nil {
		return true
	}
	return !s.hiddenBySAML(t, r.owner) && grantsLevel(i.permissions, p, level) && s.role(t.login, r) >= levels[level]
}

// sees says whether the bearer (nil: nobody) may read r at all.
func (s *Server) sees(t *token, r *repository) bool {
	return !r.Private || (t != nil && s.covers(t, r, "metadata", "read"))
}
