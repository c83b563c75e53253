package server

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/credential"
	"github.com/ghscoped/ghscoped-service/internal/github"
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
	if asked := (credential.Request{Protocol: body.Protocol, Host: body.Host}); !asked.For(s.gitHubURL) {
		return refuse(apierror.CodeOtherHost, "There is no credential for this host.", "Only "+s.gitHubURL.Host+" is connected.")
	}
	found, err := s.flows.Credential(r.Context(), c.forFlow(), github.RepositoryOfPath(body.Path))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"username": found.Username, "password": found.Password.Reveal(),
		"password_expiry_utc": found.ExpiresAt.Unix(),
	})
	return nil
}

// deleteCredential hears from git that GitHub has refused a one-repository token.
// A session may not say so, as it may not have one.
func (s *Server) deleteCredential(w http.ResponseWriter, r *http.Request, c caller) error {
	if c.holder == nil {
		return errTokenOnly
	}
	if err := s.flows.Refused(r.Context(), c.forFlow(), chi.URLParam(r, "id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
