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
	// readyLimit bounds a look at what the service depends on.
	readyLimit = 2 * time.Second
	// readyFor is how long what was seen is told again: where the address is
	// below the prefix, anybody may ask, and each look costs the store a write and
	// the Hub a call.
	readyFor = time.Second
)

func (s *Server) mountHealth(r chi.Router, at string) {
	r.Get(at+"healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	r.Get(at+"readyz", s.readyz)
}

func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	if s.ready.look(s.Clock, s.lookAround) != nil {
		writeJSON(w, http.StatusServiceUnavailable, map[string]string{"status": "unready"})
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// lookAround belongs to no request: the next ones are told what it saw, too.
func (s *Server) lookAround() error {
	ctx, cancel := context.WithTimeout(context.Background(), readyLimit)
	defer cancel()
	err := s.Ready(ctx)
	if err != nil {
		s.Logger.Warn("not ready", "error", err)
	}
	return err
}

// lookout remembers what the last look saw.
type lookout struct {
	mu   sync.Mutex
	at   time.Time
	seen error
}

// look looks again where the last look is older than readyFor; who asks
// meanwhile waits for the same answer.
func (l *lookout) look(clock func() time.Time, look func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if clock().Sub(l.at) >= readyFor {
		l.seen = look()
		l.at = clock()
	}
	return l.seen
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
	err := s.Auth.HasScope(r, token, "read:metrics")
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
