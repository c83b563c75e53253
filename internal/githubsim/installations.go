package githubsim

import (
	"fmt"
	"maps"
	"strings"
	"time"
)

func (s *Server) newInstallation(app *App, account *Account) *installation {
	i := &installation{id: s.nextID(), app: app, account: account, created: s.Now(), permissions: maps.Clone(app.Permissions)}
	s.installations[i.id] = i
	s.answered(app, account)
	return i
}

// uninstall takes the installation's tokens with it, as GitHub does.
func (s *Server) uninstall(i *installation) {
	delete(s.installations, i.id)
	for _, t := range s.issued {
		if t.installation == i {
			t.end("uninstalled")
		}
	}
}

// Install puts the first App on account, for the named repositories (with or
// without their owner) or for all when none is named. Where it is installed
// already, the choice is replaced.
func (s *Server) Install(account string, repos ...string) (int64, error) {
	s.mu.Lock()
	id := s.appOrder[0]
	s.mu.Unlock()
	return s.InstallApp(id, account, len(repos) == 0, repos...)
}

// InstallApp is Install for any App; all overrides repos, and neither leaves
// an installation that reaches nothing.
func (s *Server) InstallApp(clientID, account string, all bool, repos ...string) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	app, a := s.apps[clientID], s.account(account)
	if app == nil || a == nil {
		return 0, fmt.Errorf("install %q on %q: no such App or account", clientID, account)
	}
	ids := map[int64]bool{}
	for _, name := range repos {
		if !strings.Contains(name, "/") {
			name = a.Login + "/" + name
		}
		repo := s.repo(name)
		if repo == nil || !strings.EqualFold(repo.owner, a.Login) {
			return 0, fmt.Errorf("install: no repository %q of %s", name, a.Login)
		}
		ids[repo.ID] = true
	}
	i := s.installationOf(app, a.Login)
	if i == nil {
		i = s.newInstallation(app, a)
	}
	i.all, i.repos = all, ids
	return i.id, nil
}

// Uninstall removes an installation and ends its tokens.
func (s *Server) Uninstall(id int64) error {
	return s.withInstallation(id, s.uninstall)
}

// Rename gives a repository another name; by its former one GitHub answers 301.
func (s *Server) Rename(fullName, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repo(fullName)
	if r == nil || s.repo(r.owner+"/"+name) != nil {
		return fmt.Errorf("rename %q to %q: there is no such repository, or that name is taken", fullName, name)
	}
	former := strings.ToLower(r.FullName)
	delete(s.repos, former)
	s.renamed[former] = r
	r.name, r.FullName = name, r.owner+"/"+name
	s.repos[strings.ToLower(r.FullName)] = r
	return nil
}

// AllowList makes an organisation take Apps from addresses that this is not one of.
func (s *Server) AllowList(org string, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.allowList[strings.ToLower(org)] = on
}

// Suspend suspends an installation, or ends the suspension.
func (s *Server) Suspend(id int64, on bool) error {
	return s.withInstallation(id, func(i *installation) {
		i.suspended = time.Time{}
		if on {
			i.suspended = s.Now()
		}
	})
}

// SetPermissions is an account's admin accepting other permissions for an installation.
func (s *Server) SetPermissions(id int64, permissions map[string]string) error {
	return s.withInstallation(id, func(i *installation) { i.permissions = withMetadata(permissions) })
}

func (s *Server) withInstallation(id int64, change func(*installation)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.installations[id]
	if i == nil {
		return fmt.Errorf("no installation %d", id)
	}
	change(i)
	return nil
}
