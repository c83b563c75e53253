package rig

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Gate stands before a server and can hold one request up, or its answer, so
// that a test knows how far a program has come.
type Gate struct {
	server *httptest.Server
	proxy  *httputil.ReverseProxy

	mu      sync.Mutex
	request string // "METHOD end-of-path"
	skip    int
	after   bool
	reached chan struct{}
	gone    chan struct{} // who asked has left
	release chan struct{}
}

// NewGate stands before the server at target.
func NewGate(target string) (*Gate, error) {
	address, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	g := &Gate{reached: make(chan struct{}), gone: make(chan struct{}), release: make(chan struct{})}
	g.proxy = &httputil.ReverseProxy{
		Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(address) },
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	g.server = httptest.NewServer(g)
	return g, nil
}

// URL is where the gate is.
func (g *Gate) URL() string { return g.server.URL }

// Hold holds the request whose method and end of path are given, as in "GET
// api/connection", after skip of them were let through; where after is set it
// is let through and its answer held.
func (g *Gate) Hold(request string, skip int, after bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.request, g.skip, g.after = request, skip, after
}

// Held waits until a request is held.
func (g *Gate) Held(ctx context.Context) error {
	select {
	case <-g.reached:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("no request was held: %w", ctx.Err())
	}
}

// Release lets go of what is held, unless who asked leaves before that: time to
// act on a signal that has just been sent, of which nothing else tells.
func (g *Gate) Release(unlessWithin time.Duration) {
	select {
	case <-g.gone:
	case <-time.After(unlessWithin):
	}
	close(g.release)
}

// Close ends every connection.
func (g *Gate) Close() {
	g.server.CloseClientConnections()
	g.server.Close()
}

// holds reports whether this is the request to hold; there is one only.
func (g *Gate) holds(r *http.Request) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	method, end, _ := strings.Cut(g.request, " ")
	if r.Method != method || !strings.HasSuffix(r.URL.Path, end) {
		return false
	}
	g.skip--
	return g.skip == -1
}

func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !g.holds(r) {
		g.proxy.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body) // unread, it would hide that who asked has gone
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer := httptest.NewRecorder()
	if g.after {
		g.proxy.ServeHTTP(answer, r)
	}
	close(g.reached)
	select {
	case <-r.Context().Done():
		close(g.gone)
		return
	case <-g.release:
	}
	if !g.after {
		g.proxy.ServeHTTP(w, r)
		return
	}
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}
