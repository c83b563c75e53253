package server

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/credential"
)

// postCredential gives the token to the git helper in the caller's own server.
// A browser never gets it: any script on this origin could ask with the cookie.
func (s *Server) postCredential(w http.ResponseWriter, r *http.Request, c caller) error {
	if c.holder == nil {
		return errTokenOnly
	}
	var body struct {
		Protocol string `json:"protocol"`
		Host     string `json:"host"`
		Path     string `json:"path"`
	}
	if err := readJSON(r, &body); err != nil {
		return err
	}
	if asked := (credential.Request{Protocol: body.Protocol, Host: body.Host}); !asked.For(s.GitHubURL) {
		return refuse(apierror.CodeOtherHost, "There is no credential for this host.", "Only "+s.GitHubURL.Host+" is connected.")
	}
	found, err := s.Flows.Credential(r.Context(), c.forFlow(), repositoryOf(body.Path))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"username": found.Username, "password": found.Password.Reveal(),
		"password_expiry_utc": found.ExpiresAt.Unix(),
	})
	return nil
}

// gitPath is what git names below GitHub's address: a repository, perhaps with
// what is asked of it (git-lfs does so). A wiki belongs to its repository.
var gitPath = regexp.MustCompile(`^([A-Za-z0-9_-]+/[A-Za-z0-9._-]+)(/.*)?$`)

// repositoryOf is the OWNER/NAME in a path of git's; empty where it names none.
func repositoryOf(path string) string {
	found := gitPath.FindStringSubmatch(path)
	if found == nil {
		return ""
	}
	name := strings.TrimSuffix(strings.TrimSuffix(found[1], ".git"), ".wiki")
	if _, rest, _ := strings.Cut(name, "/"); strings.Trim(rest, ".") == "" {
		return ""
	}
	return name
}

// deleteCredential hears from git that GitHub has refused a one-repository token.
// A session may not say so, as it may not have one.
func (s *Server) deleteCredential(w http.ResponseWriter, r *http.Request, c caller) error {
	if c.holder == nil {
		return errTokenOnly
	}
	if err := s.Flows.Refused(r.Context(), c.forFlow(), chi.URLParam(r, "id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
