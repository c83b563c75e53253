package server

import (
	"crypto/rand"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	duration *prometheus.HistogramVec
}

func newMetrics(registry prometheus.Registerer) *metrics {
	m := &metrics{duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "ghscoped_http_request_duration_seconds", Help: "Time to answer a request, by route.",
		Buckets: []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
	}, []string{"route", "method", "code"})}
	registry.MustRegister(m.duration)
	return m
}

// idHeader carries a request's id from observe to whoever logs or shows it.
const idHeader = "X-Request-Id"

// requestID names a request in logs, in the audit and to a person.
func requestID(r *http.Request) string { return r.Header.Get(idHeader) }

// observe gives the request an id, counts it under its route's pattern, and
// logs it. The id is always our own: one that the caller names could not be
// trusted in a log.
func (s *Server) observe(next http.Handler) http.Handler {
	process := rand.Text()[:10] // tells the requests of one process from another's
	var requests atomic.Uint64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := s.clock()
		r.Header.Set(idHeader, process+"-"+strconv.FormatUint(requests.Add(1), 10))
		answer := &answer{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(answer, r)
		took := s.clock().Sub(began)
		route := s.route(chi.RouteContext(r.Context()).RoutePattern())
		s.metrics.duration.WithLabelValues(route, method(r.Method), strconv.Itoa(answer.status)).Observe(took.Seconds())
		// Attributes, which cost nothing where the level is not logged.
		s.logger.LogAttrs(r.Context(), slog.LevelInfo, "request", slog.String("request_id", requestID(r)), slog.String("method", method(r.Method)),
			slog.String("path", loggedPath(r)), slog.Int("status", answer.status), slog.Int64("milliseconds", took.Milliseconds()))
	})
}

// maxLoggedPath bounds what somebody who is not even signed in can have written
// into the log by one request, in bytes. The longest of our own paths are shorter.
const maxLoggedPath = 256

func loggedPath(r *http.Request) string {
	path := r.URL.Path
	if len(path) > maxLoggedPath {
		return strings.ToValidUTF8(path[:maxLoggedPath], "") + "…"
	}
	return path
}

// answer keeps the status that was sent. (chi's middleware has such a writer
// too, and links net/http/pprof and expvar, which hang themselves into
// http.DefaultServeMux.)
type answer struct {
	http.ResponseWriter
	status int
}

func (a *answer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// route is a request's pattern below the prefix, as it is named in metrics.
// What matches nothing counts as one, whatever address somebody made up.
func (s *Server) route(pattern string) string {
	route, below := strings.CutPrefix(pattern, strings.TrimSuffix(s.prefix, "/"))
	switch {
	case !below:
		return "other"
	case route == "":
		return "/"
	}
	return route
}

// method keeps made-up methods out of the labels.
func method(name string) string {
	switch name {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete:
		return name
	}
	return "other"
}

// headAsGet lets whatever answers GET answer HEAD too (RFC 9110, 9.1); net/http
// leaves the body out.
func headAsGet(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			chi.RouteContext(r.Context()).RouteMethod = http.MethodGet
		}
		next.ServeHTTP(w, r)
	})
}

// methodsAt are the methods that an address takes.
func methodsAt(routes chi.Routes, path string) []string {
	var taken []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		if routes.Match(chi.NewRouteContext(), method, path) {
			taken = append(taken, method)
		}
	}
	return taken
}

// recoverPanic answers as for any other error instead of dropping the
// connection.
func (s *Server) recoverPanic(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if cause := recover(); cause != nil && cause != http.ErrAbortHandler {
				s.logger.Error("a handler panicked", "path", loggedPath(r), "panic", cause, "stack", string(debug.Stack()))
				s.renderError(w, r, errInternal)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// policy is the Content-Security-Policy: nothing but our own files, and no
// frame anywhere. A form of somebody who was signed out meanwhile is answered
// with the way to the Hub's login, which browsers count as where the form goes.
func (s *Server) policy() string {
	forms := "'self'"
	if s.hubOrigin != nil {
		forms += " " + s.hubOrigin.String()
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'" +
		"; connect-src 'self'; form-action " + forms + "; base-uri 'none'; frame-ancestors 'none'"
}

// securityHeaders keep other pages of the same origin, users' servers among
// them, away from ours as far as a browser can. Referrer-Policy is not
// no-referrer, with which browsers would send "Origin: null" along our forms.
func securityHeaders(policy string) func(http.Handler) http.Handler {
	headers := http.Header{ // the names in canonical form, as nothing else is looked up
		"Content-Security-Policy":      {policy},
		"X-Frame-Options":              {"DENY"},
		"X-Content-Type-Options":       {"nosniff"},
		"Referrer-Policy":              {"same-origin"},
		"Cross-Origin-Opener-Policy":   {"noopener-allow-popups"},
		"Cross-Origin-Resource-Policy": {"same-origin"},
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			maps.Copy(w.Header(), headers)
			next.ServeHTTP(w, r)
		})
	}
}
