package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/hubauth"
)

const (
	// heartbeat keeps proxies from closing a quiet stream, and is how soon it is
	// noticed that the Hub's last yes does not count any more.
	heartbeat = 15 * time.Second
	// writeLimit is how long a slow reader may hold up one event.
	writeLimit = 10 * time.Second
)

// events sends the flow at each change of the user's record, as server-sent
// events (HTML, 9.2), until the caller leaves, or may not ask any more.
func (s *Server) events(w http.ResponseWriter, r *http.Request, c caller) error {
	ctx := r.Context()
	changes, err := s.Flows.Watch(ctx, c.user)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		if err := s.sendFlow(w, r, c.user); err != nil {
			return nil // the browser is gone, or comes again by itself
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.ending:
			return nil
		case _, open := <-changes:
			if !open {
				return nil
			}
		case <-beat.C:
			if s.stillMay(r, c) != nil {
				return nil // it comes again, and is told then
			}
		}
	}
}

// stillMay asks once more what a request that reads was asked when it came.
func (s *Server) stillMay(r *http.Request, c caller) error {
	if c.session != nil {
		_, err := s.Auth.Session(r, false)
		return err
	}
	_, err := s.Auth.Holder(r, hubauth.BearerToken(r), false)
	return err
}

func (s *Server) sendFlow(w http.ResponseWriter, r *http.Request, name string) error {
	user, err := s.Flows.User(r.Context(), name)
	if err != nil {
		return err
	}
	data := []byte("{}")
	if user.Flow != nil {
		if data, err = json.Marshal(answerFlow(user.Flow)); err != nil {
			return err
		}
	}
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(s.Clock().Add(writeLimit)) // without one the event is late, not wrong
	if _, err := fmt.Fprintf(w, "id: %d\ndata: %s\n\n", user.Version, data); err != nil {
		return err
	}
	return control.Flush()
}
