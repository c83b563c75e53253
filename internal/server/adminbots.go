package server

import (
	"context"
	"net/http"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/bot"
	"github.com/ghscoped/ghscoped-service/internal/hubauth"
	"github.com/ghscoped/ghscoped-service/web"
)

// adminBots lists the live tokens of all bots, without the tokens.
func (s *Server) adminBots(ctx context.Context) ([]web.AdminBot, error) {
	if s.issuer == nil {
		return nil, nil
	}
	live, err := s.issuer.Live(ctx, "")
	if err != nil {
		return nil, err
	}
	var bots []web.AdminBot
	for _, one := range live {
		bots = append(bots, web.AdminBot{
			ID: one.ID, Caller: one.Caller, Rule: one.Rule, Repositories: one.Repositories,
			Since: one.IssuedAt, ExpiresAt: one.ExpiresAt,
		})
	}
	return bots, nil
}

// adminRevokeBots revokes the one token that the form names, or all.
func (s *Server) adminRevokeBots(w http.ResponseWriter, r *http.Request, session hubauth.Session) error {
	if err := s.checkForm(w, r, session); err != nil {
		return err
	}
	if s.issuer == nil {
		return errNoBots
	}
	by := bot.User + ":" + session.User
	if r.PostForm.Get("all") == "yes" {
		_, err := s.issuer.RevokeAll(r.Context(), by, "")
		return s.backToAdmin(w, r, err)
	}
	err := s.issuer.Revoke(r.Context(), by, r.PostForm.Get("caller"), r.PostForm.Get("id"))
	if apierror.Is(err, apierror.CodeTokenUnknown) {
		err = nil // it is over already
	}
	return s.backToAdmin(w, r, err)
}
