package server

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/ghscoped/ghscoped-service/internal/hubauth"
)

const (
	// readyLimit bounds a check of what the service depends on.
	readyLimit = 2 * time.Second
	// readyFor is how long an answer is cached: where the address is below the
	// prefix, anybody may ask, and each check costs the store a write and the Hub a
	// call.
	readyFor = time.Second
)

func (s *Server) mountHealth(r chi.Router, at string) {
	r.Get(at+"healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	r.Get(at+"readyz", s.readyz)
}

func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	if s.readiness.get(s.clock, s.askReady) != nil {
		writeJSON(w, http.StatusServiceUnavailable, map[string]string{"status": "unready"})
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// askReady asks for no one request: the answer is cached for the next ones.
func (s *Server) askReady() error {
	ctx, cancel := context.WithTimeout(context.Background(), readyLimit)
	defer cancel()
	err := s.checkReady(ctx)
	if err != nil {
		s.logger.Warn("not ready", "error", err)
	}
	return err
}

// readinessCache has the last answer.
type readinessCache struct {
	mu  sync.Mutex
	at  time.Time
	err error
}

// get asks again where the last answer is older than readyFor; requests that come
// meanwhile wait for the same one.
func (c *readinessCache) get(clock func() time.Time, ask func() error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if clock().Sub(c.at) >= readyFor {
		c.err = ask()
		c.at = clock()
	}
	return c.err
}

func (s *Server) metricsHandler() http.Handler {
	return promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{})
}

// guardedMetrics answers holders of a Hub token with the scope read:metrics, as
// the Hub's own metrics do.
func (s *Server) guardedMetrics(w http.ResponseWriter, r *http.Request) error {
	token := hubauth.BearerToken(r)
	if token.Empty() {
		return errBadToken
	}
	err := s.auth.HasScope(r, token, "read:metrics")
	switch {
	case errors.Is(err, hubauth.ErrSignedOut):
		return errBadToken
	case errors.Is(err, hubauth.ErrNoAccess):
		return errNoMetrics
	case err != nil:
		return err
	}
	s.metricsHandler().ServeHTTP(w, r)
	return nil
}
