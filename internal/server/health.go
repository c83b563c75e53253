package server

import (
	"context"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/ghscoped/ghscoped-service/internal/hubauth"
)

// readyLimit bounds a look at what the service depends on.
const readyLimit = 2 * time.Second

func (s *Server) mountHealth(r chi.Router) {
	r.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	r.Get("/readyz", s.readyz)
}

func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyLimit)
	defer cancel()
	if err := s.Ready(ctx); err != nil {
		s.Logger.Warn("not ready", "error", err)
		writeJSON(w, http.StatusServiceUnavailable, map[string]string{"status": "unready"})
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (s *Server) metricsHandler() http.Handler {
	return promhttp.HandlerFor(s.Registry, promhttp.HandlerOpts{})
}

// guardedMetrics answers holders of a Hub token with the scope read:metrics, as
// the Hub's own metrics do.
func (s *Server) guardedMetrics(w http.ResponseWriter, r *http.Request) error {
	token := hubauth.BearerToken(r)
	if token.Empty() {
		return errBadToken
	}
	if err := s.Auth.HasScope(r, token, "read:metrics"); err != nil {
		return err
	}
	s.metricsHandler().ServeHTTP(w, r)
	return nil
}
