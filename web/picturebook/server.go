package picturebook

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ghscoped/ghscoped-service/web"
)

// Server shows each sample at /NAME/, as if that were the service's prefix at a
// Hub. What the pages send is kept and changes nothing by itself; [Server.Show]
// does.
type Server struct {
	samples []Sample
	pages   map[string]*web.Pages

	mu       sync.Mutex
	out      map[string]bool // where the session is over
	shown    map[string]Sample
	changed  chan struct{} // closed and renewed at each change
	requests []Request
	answer   func(Request) (status int, body string)
}

// Request is what a page sent to change something.
type Request struct {
	Method, Path string
	// CSRF is the token of the header, or of the form.
	CSRF string
	// Body is the JSON or the encoded form.
	Body string
}

// NewServer shows the samples of a given time.
func NewServer(now time.Time) (*Server, error) {
	s := &Server{
		samples: Samples(now), pages: make(map[string]*web.Pages),
		shown: make(map[string]Sample), out: make(map[string]bool), changed: make(chan struct{}),
	}
	for _, sample := range s.samples {
		pages, err := web.New(web.Options{
			Prefix: "/" + sample.Name + "/", HubPrefix: "/hub/", HubName: "Research Hub", GitHubHost: "github.com",
			HelpURL: "https://hub.example.org/help",
		})
		if err != nil {
			return nil, err
		}
		s.pages[sample.Name], s.shown[sample.Name] = pages, sample
	}
	return s, nil
}

// Samples are those at their names.
func (s *Server) Samples() []Sample { return slices.Clone(s.samples) }

// Show replaces what is at a name, and tells the pages that listen.
func (s *Server) Show(name string, view web.View) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shown[name] = Sample{Name: name, View: &view}
	close(s.changed)
	s.changed = make(chan struct{})
}

// SignOut ends the session of the page at a name, or gives it another one. What its
// script reads is refused without one; the document itself comes all the same.
func (s *Server) SignOut(name string, out bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out[name] = out
}

// Answer is called for each request that changes something. Without it, or
// with status 0, the answer is the usual one of success.
func (s *Server) Answer(answer func(Request) (status int, body string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// Requests are those so far that would have changed something.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// ServeHTTP answers with the headers of the real service.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "+
		"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "noopener-allow-popups")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	name, route, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if name == "hub" {
		h.Set("Content-Type", "image/svg+xml")
		_, _ = io.WriteString(w, logo)
		return
	}
	pages := s.pages[name]
	switch {
	case pages == nil:
		http.NotFound(w, r)
	case r.Method != http.MethodGet:
		s.change(w, r, name)
	case route != "" && !strings.HasPrefix(route, "static/") && s.signedOut(name):
		w.WriteHeader(http.StatusUnauthorized)
	case route == "":
		s.write(w, func(out io.Writer) error { return s.current(name).Page(pages, out, language(pages, r)) })
	case route == "fragment" && s.current(name).View != nil:
		s.write(w, func(out io.Writer) error { return pages.Fragment(out, language(pages, r), *s.current(name).View) })
	case route == "api/flows/current/events":
		s.events(w, r)
	case strings.HasPrefix(route, "static/"):
		pages.Static().ServeHTTP(w, r)
	default:
		http.NotFound(w, r)
	}
}

func language(pages *web.Pages, r *http.Request) string {
	return pages.Language(r.Header.Get("Accept-Language"))
}

func (s *Server) current(name string) Sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown[name]
}

func (s *Server) signedOut(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out[name]
}

func (s *Server) write(w http.ResponseWriter, render func(io.Writer) error) {
	var out bytes.Buffer
	if err := render(&out); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = out.WriteTo(w)
}

// events says at once that there is something to read, and again at each change.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if _, err := fmt.Fprint(w, "data: {}\n\n"); err != nil {
			return
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-changed:
		}
	}
}

// change keeps a request, and answers it as the real service would.
func (s *Server) change(w http.ResponseWriter, r *http.Request, name string) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	request := Request{Method: r.Method, Path: r.URL.Path, CSRF: r.Header.Get("X-CSRF-Token"), Body: string(body)}
	s.mu.Lock()
	s.requests = append(s.requests, request)
	answer := s.answer
	s.mu.Unlock()
	if answer != nil {
		if status, body := answer(request); status != 0 {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
			return
		}
	}
	if strings.Contains(r.URL.Path, "/api/") {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	http.Redirect(w, r, "/"+name+"/", http.StatusSeeOther)
}

// logo stands for a Hub's own.
const logo = `<svg xmlns="http://www.w3.org/2000/svg" width="118" height="28" viewBox="0 0 118 28">` +
	`<circle cx="14" cy="14" r="11" fill="none" stroke="#f37726" stroke-width="5"/><circle cx="14" cy="14" r="3.5" fill="#767677"/>` +
	`<text x="33" y="20" font-family="sans-serif" font-size="17" fill="#767677">Research</text></svg>`
