package server

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/go-chi/chi/v5"

	"github.com/ghscoped/ghscoped-service/internal/bot"
	"github.com/ghscoped/ghscoped-service/internal/hubauth"
)

// byCommand is who ended a record, for the audit.
const byCommand = "user end"

// deleteUser ends all that is known of a Hub user's name, for the command "user
// end" on the service's own machine. It answers to the service's own Hub token
// only; a cookie counts for nothing, so that no page can have it called.
func (s *Server) deleteUser(w http.ResponseWriter, r *http.Request) error {
	err := s.auth.Own(r)
	if errors.Is(err, hubauth.ErrSignedOut) {
		return errOwnTokenOnly
	}
	if err != nil {
		return err
	}
	name := chi.URLParam(r, "name")
	if r.URL.RawPath != "" { // then chi matches what was sent
		if name, err = url.PathUnescape(name); err != nil {
			return errNotFound
		}
	}
	if err := s.endBots(r, name); err != nil {
		return err
	}
	if err := s.flows.EndUser(r.Context(), name, byCommand); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// endBots revokes the bot tokens that were given to programs of the user.
func (s *Server) endBots(r *http.Request, name string) error {
	if s.issuer == nil {
		return nil
	}
	_, err := s.issuer.RevokeAll(r.Context(), byCommand, bot.User+":"+name)
	return err
}
