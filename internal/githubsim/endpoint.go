package githubsim

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// route is one endpoint. Its name, method and pattern, is what statistics and
// faults call it; the API prefix is not part of it.
type route struct {
	method, pattern string
	handler         http.HandlerFunc
}

func (e route) name() string { return e.method + " " + e.pattern }

// endpoint counts, dates, delays and breaks an endpoint's answers. A caller that
// leaves does not stop what it asked for.
func (s *Server) endpoint(e route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		way := s.latency.next() / 2
		time.Sleep(way)
		// The client may correct its clock by this, so it must be ours.
		w.Header().Set("Date", s.Now().UTC().Format(http.TimeFormat))
		w.Header().Set("X-GitHub-Request-Id", strings.ToUpper(randomHex(16)))
		w.Header().Set("Server", "githubsim")
		seen := &statusWriter{ResponseWriter: w, way: way}
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

// statusWriter remembers the status. way is how long the answer takes to its
// reader.
type statusWriter struct {
	http.ResponseWriter
	status int
	way    time.Duration
}

func (w *statusWriter) WriteHeader(code int) {
	if w.status == 0 {
		time.Sleep(w.way)
	}
	w.status = code
	w.ResponseWriter.WriteHeader(code)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(b)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// latency deals out how long answers take, always in the same order.
type latency struct {
	longest time.Duration
	mu      sync.Mutex
	random  *rand.Rand
}

func newLatency(longest time.Duration) *latency {
	return &latency{longest: longest, random: rand.New(rand.NewPCG(1, 2))}
}

func (l *latency) next() time.Duration {
	if l.longest <= 0 {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	shortest := l.longest / 4
	return shortest + time.Duration(l.random.Int64N(int64(l.longest-shortest)+1))
}
