package githubsim

import (
	"net/http"
	"strings"
)

// route is one endpoint. Its name, method and pattern, is what statistics and
// faults call it; the API prefix is not part of it.
type route struct {
	method, pattern string
	handler         http.HandlerFunc
}

func (e route) name() string { return e.method + " " + e.pattern }

// endpoint counts, dates and breaks an endpoint's answers.
func (s *Server) endpoint(e route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The client may correct its clock by this, so it must be ours.
		w.Header().Set("Date", s.Now().UTC().Format(http.TimeFormat))
		w.Header().Set("X-GitHub-Request-Id", strings.ToUpper(randomHex(16)))
		w.Header().Set("Server", "githubsim")
		seen := &statusWriter{ResponseWriter: w}
		s.mu.Lock()
		s.requests[e.name()]++
		fault := s.takeFault(e.name(), r)
		s.mu.Unlock()
		defer func() { s.countStatus(e.name(), seen.status) }()
		h := e.handler
		if fault != nil {
			h = func(w http.ResponseWriter, r *http.Request) { s.misbehave(*fault, w, r, e.handler) }
		}
		if e.name() == tokenEndpoint {
			h = s.timedPoll(h)
		}
		h(seen, r)
	})
}

func (s *Server) countStatus(name string, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.statuses[name] == nil {
		s.statuses[name] = map[int]int{}
	}
	s.statuses[name][status]++ // 0: the connection was broken before a status
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(code int) {
	w.status = code
	w.ResponseWriter.WriteHeader(code)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
