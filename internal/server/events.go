package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/ghscoped/ghscoped-service/internal/flow"
)

// events sends the flow at each change of the user's record, as server-sent
// events (HTML, 9.2), until the caller leaves, or may not ask any more.
func (s *Server) events(w http.ResponseWriter, r *http.Request, c caller) error {
	if r.Method == http.MethodHead {
		eventHeader(w.Header())
		return nil
	}
	stream, err := s.streams.admit(c.forFlow(), s.auth.Again(r))
	if err != nil {
		w.Header().Set("Connection", "close") // an idle connection would cost more than a stream
		return err
	}
	// Whoever may not read is told so by a status, not by a stream that breaks.
	first, err := s.flowEvent(r.Context(), stream.caller)
	if err != nil {
		s.streams.end(stream)
		return err
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		s.streams.end(stream)
		return err
	}
	eventHeader(w.Header())
	s.streams.open(stream, conn, append(s.eventHead(w.Header()), first...))
	return nil
}

func eventHeader(h http.Header) {
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
}

// eventHead is the head of an answer that ends with its connection (RFC 9112,
// 6.3).
func (s *Server) eventHead(h http.Header) []byte {
	h.Set("Connection", "close")
	h.Set("Date", s.clock().UTC().Format(http.TimeFormat))
	var head bytes.Buffer
	head.WriteString("HTTP/1.1 200 OK\r\n")
	_ = h.Write(&head) // a buffer takes everything
	head.WriteString("\r\n")
	return head.Bytes()
}

// flowEvent is a caller's flow as an event.
func (s *Server) flowEvent(ctx context.Context, c flow.Caller) ([]byte, error) {
	user, err := s.flows.Of(ctx, c)
	if err != nil {
		return nil, err
	}
	data := []byte("{}")
	if user.Flow != nil {
		if data, err = json.Marshal(s.answerFlow(user.Flow, c)); err != nil {
			return nil, err
		}
	}
	return fmt.Appendf(nil, "id: %d\ndata: %s\n\n", user.Version, data), nil
}
