package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const (
	// heartbeat keeps proxies from closing a quiet stream, and is how soon a
	// signed-out browser is noticed.
	heartbeat = 15 * time.Second
	// writeLimit is how long a slow reader may hold up one event.
	writeLimit = 10 * time.Second
)

// events sends the flow at each change of the user's record, as server-sent
// events (HTML, 9.2), until the browser leaves or its session ends.
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
			if c.session == nil {
				continue
			}
			if _, err := s.Auth.Session(r, false); err != nil {
				return nil // it comes again, and is told then
			}
		}
	}
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
