package server

import (
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
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

// observe gives the request an id, counts it under its route's pattern, and
// logs it. The id is always our own: one that the caller names could not be
// trusted in a log.
func (s *Server) observe(next http.Handler) http.Handler {
	withID := middleware.RequestID(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := s.Clock()
		counted := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		next.ServeHTTP(counted, r)
		took := s.Clock().Sub(began)
		route := s.route(chi.RouteContext(r.Context()).RoutePattern())
		status := max(counted.Status(), http.StatusOK)
		if !strings.HasSuffix(route, "/events") { // open for as long as the page is
			s.metrics.duration.WithLabelValues(route, method(r.Method), strconv.Itoa(status)).Observe(took.Seconds())
		}
		s.Logger.Info("request", "request_id", middleware.GetReqID(r.Context()), "method", r.Method,
			"path", r.URL.Path, "status", status, "milliseconds", took.Milliseconds())
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del(middleware.RequestIDHeader)
		withID.ServeHTTP(w, r)
	})
}

// route is a request's pattern below the prefix, as it is named in metrics.
// What matches nothing counts as one, whatever address somebody made up.
func (s *Server) route(pattern string) string {
	route, below := strings.CutPrefix(pattern, strings.TrimSuffix(s.Prefix, "/"))
	switch {
	case !below || route == "/*":
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

// recoverPanic answers as for any other fault instead of dropping the
// connection.
func (s *Server) recoverPanic(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if fault := recover(); fault != nil && fault != http.ErrAbortHandler {
				s.Logger.Error("a handler panicked", "path", r.URL.Path, "fault", fault, "stack", string(debug.Stack()))
				s.renderFault(w, r, errInternal)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// AvatarOrigin is where GitHub serves pictures of accounts.
const AvatarOrigin = "https://avatars.githubusercontent.com"

// policy is the Content-Security-Policy: nothing but our own files, and no
// frame anywhere.
func (s *Server) policy() string {
	images := "'self'"
	if s.ShowAvatars {
		images += " " + AvatarOrigin
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src " + images +
		"; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}

// securityHeaders keep other pages of the same origin, users' servers among
// them, away from ours as far as a browser can. Referrer-Policy is not
// no-referrer, with which browsers would send "Origin: null" along our forms.
func securityHeaders(policy string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h.Set("Content-Security-Policy", policy)
			h.Set("X-Frame-Options", "DENY")
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("Referrer-Policy", "same-origin")
			h.Set("Cross-Origin-Opener-Policy", "noopener-allow-popups")
			h.Set("Cross-Origin-Resource-Policy", "same-origin")
			next.ServeHTTP(w, r)
		})
	}
}
