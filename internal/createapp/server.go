package createapp

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	_ "embed"
	"errors"
	"html/template"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/webaddr"
)

// Life is how long GitHub keeps a manifest's code good.
const Life = time.Hour

//go:embed page.html
var source string

type page struct {
	Title, Host, Message string
	Action, Manifest     string
}

func write(w io.Writer, p page) error {
	parsed, err := template.New("page").Parse(source)
	if err != nil {
		return err
	}
	return parsed.Execute(w, p)
}

func (o Options) form(state, redirect string) (page, error) {
	described, err := o.Manifest(redirect)
	return page{Title: "Create the GitHub App", Host: o.GitHub.Host, Action: o.FormURL(state), Manifest: described}, err
}

// WriteForm writes the form as a page of its own. Afterwards the code stands in
// the browser's address bar: nothing answers at redirect.
func (o Options) WriteForm(w io.Writer, redirect string) error {
	form, err := o.form("", redirect)
	if err != nil {
		return err
	}
	return write(w, form)
}

// Server shows the form on this machine and waits for the code.
type Server struct {
	options  Options
	listener net.Listener
	state    string
	code     chan secret.String
	once     sync.Once
}

// Listen begins to listen, on loopback only: whoever gets the code gets the App.
func Listen(o Options, address string) (*Server, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil || !webaddr.Loopback(host) {
		return nil, errors.New("the address to listen on must be on loopback, as in 127.0.0.1:0")
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	return &Server{options: o, listener: listener, state: rand.Text(), code: make(chan secret.String, 1)}, nil
}

// URL is the page to open.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() + "/" }

// Code serves the form until GitHub has sent the browser back with a code, or
// ctx ends.
func (s *Server) Code(ctx context.Context) (secret.String, error) {
	served := &http.Server{Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = served.Serve(s.listener) }() // it ends by Shutdown
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = served.Shutdown(ctx) // the last answer may go on its way
	}()
	select {
	case code := <-s.code:
		return code, nil
	case <-ctx.Done():
		return secret.String{}, ctx.Err()
	}
}

func (s *Server) handler() http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /{$}", s.showForm)
	routes.HandleFunc("GET /created", s.takeCode)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A name that somebody else lets lead here (DNS rebinding) sees nothing.
		if r.Host != s.listener.Addr().String() {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		routes.ServeHTTP(w, r)
	})
}

func (s *Server) showForm(w http.ResponseWriter, _ *http.Request) {
	form, err := s.options.form(s.state, s.URL()+"created")
	if err != nil {
		http.Error(w, "The form could not be made.", http.StatusInternalServerError)
		return
	}
	_ = write(w, form) // the browser is gone
}

func (s *Server) takeCode(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(s.state)) == 0 || query.Get("code") == "" {
		w.WriteHeader(http.StatusBadRequest)
		_ = write(w, page{Title: "Not what was asked for", Message: "This does not come from the form of this program. Open its first page again."})
		return
	}
	_ = write(w, page{Title: "The GitHub App is there", Message: "Go back to the terminal: it says what is left to do. This page may be closed."})
	s.once.Do(func() { s.code <- secret.New(query.Get("code")) })
}
