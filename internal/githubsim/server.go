package githubsim

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
)

// Server is one simulated GitHub. Make it with New, run it with Start, end it
// with Close, after which nothing of it is left.
type Server struct {
	opts    Options
	offset  atomic.Int64
	servers []*http.Server
	url     string
	apiURL  string
	admin   string
	dir     string // bare repositories
	ca      *authority
	gitExec string
	latency *latency

	mu            sync.Mutex
	lastID        int64
	order         []string // logins as they were added
	appOrder      []string
	accounts      map[string]*Account
	apps          map[string]*App // by client id
	repos         map[string]*repository
	installations map[int64]*installation
	tokens        map[string]*token // by access token
	refreshTokens map[string]*token // by refresh token
	issued        []*token
	tokenLives    map[string]time.Duration // by login, lower case
	devices       map[string]*device       // by device code
	userCodes     map[string]*device
	deviceOrder   []*device
	codes         map[string]*authCode
	grants        map[grantKey]bool
	sessions      map[string]*session
	saml          map[string]bool        // organisations, lower case
	allowList     map[string]bool        // organisations, lower case
	renamed       map[string]*repository // by its former full name, lower case
	signedOn      map[samlSession]bool   // who has a SAML session there
	asked         []*installationRequest // not answered yet
	entries       map[string]*window     // code entries by client id
	rates         map[string]*window
	manifests     map[string]manifest
	faults        []*Fault
	requests      map[string]int
	statuses      map[string]map[int]int
	pushes        []Push
	lfsPermits    map[string]lfsPermit
	pulls         []PullRequest
	emails        []Email
}

// New makes a server that is not listening yet. What is wrong with the options
// is reported by Start.
func New(o Options) *Server {
	return &Server{
		opts: o.withDefaults(), lastID: 1000, latency: newLatency(o.Latency),
		accounts: map[string]*Account{}, apps: map[string]*App{}, repos: map[string]*repository{},
		installations: map[int64]*installation{}, tokens: map[string]*token{}, tokenLives: map[string]time.Duration{}, refreshTokens: map[string]*token{},
		devices: map[string]*device{}, userCodes: map[string]*device{}, codes: map[string]*authCode{},
		grants: map[grantKey]bool{}, sessions: map[string]*session{}, saml: map[string]bool{}, allowList: map[string]bool{}, renamed: map[string]*repository{}, signedOn: map[samlSession]bool{},
		entries: map[string]*window{}, rates: map[string]*window{}, manifests: map[string]manifest{},
		requests: map[string]int{}, statuses: map[string]map[int]int{}, lfsPermits: map[string]lfsPermit{},
	}
}

// Start seeds the world and listens.
func (s *Server) Start() (err error) {
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := s.seed(s.opts); err != nil {
		return fmt.Errorf("githubsim: %w", err)
	}
	if err := s.findGit(); err != nil {
		return fmt.Errorf("githubsim: %w", err)
	}
	if s.dir, err = os.MkdirTemp("", "githubsim-"); err != nil {
		return fmt.Errorf("githubsim: %w", err)
	}
	if err := s.layGround(); err != nil {
		return fmt.Errorf("githubsim: %w", err)
	}
	if s.opts.TLS {
		if s.ca, err = newAuthority(); err != nil {
			return fmt.Errorf("githubsim: %w", err)
		}
	}
	return s.listenAll()
}

// listenAll learns every address before anything is served, since answers carry them.
func (s *Server) listenAll() error {
	public, err := s.listen(s.opts.Listen, s.opts.TLS, &s.url)
	if err != nil {
		return err
	}
	s.apiURL = s.url + "/api/v3"
	admin, err := s.listen(s.opts.AdminListen, false, &s.admin)
	if err != nil {
		return errors.Join(err, public.Close())
	}
	var api net.Listener
	if s.opts.APIListen != "" {
		if api, err = s.listen(s.opts.APIListen, s.opts.TLS, &s.apiURL); err != nil {
			return errors.Join(err, public.Close(), admin.Close())
		}
	}
	s.serve(public, s.publicHandler())
	s.serve(admin, s.adminHandler())
	if api != nil {
		s.serve(api, s.apiHandler(append(s.apiRoutes(), s.graphQLRoute())))
	}
	return nil
}

func (s *Server) listen(addr string, secure bool, url *string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("githubsim: %w", err)
	}
	if secure {
		*url = "https://" + l.Addr().String()
		return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{s.ca.leaf}, NextProtos: []string{"http/1.1"}}), nil
	}
	*url = "http://" + l.Addr().String()
	return l, nil
}

func (s *Server) serve(l net.Listener, h http.Handler) {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	s.servers = append(s.servers, srv)
	go func() { _ = srv.Serve(l) }()
}

// Close ends every connection and removes the repositories.
func (s *Server) Close() error {
	var errs []error
	for _, srv := range s.servers {
		errs = append(errs, srv.Close())
	}
	if s.dir != "" {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}

// URL is the web and git origin, without a final slash.
func (s *Server) URL() string { return s.url }

// APIURL is the REST base: URL()+"/api/v3", or the separate API address.
func (s *Server) APIURL() string { return s.apiURL }

// AdminURL is the management base.
func (s *Server) AdminURL() string { return s.admin }

// CAPEM is the certificate to trust where Options.TLS is set, else nil.
func (s *Server) CAPEM() []byte {
	if s.ca == nil {
		return nil
	}
	return s.ca.pem
}

// Now is the simulator's time.
func (s *Server) Now() time.Time { return s.opts.Clock().Add(time.Duration(s.offset.Load())) }

// Advance moves the simulator's clock; back, if d is negative.
func (s *Server) Advance(d time.Duration) { s.offset.Add(int64(d)) }

func (s *Server) nextID() int64 { s.lastID++; return s.lastID }

func (s *Server) publicHandler() http.Handler {
	r := chi.NewRouter()
	for _, e := range s.webRoutes() {
		r.Method(e.method, e.pattern, s.endpoint(e))
	}
	r.Mount("/api/v3", s.apiHandler(s.apiRoutes()))
	r.Method(http.MethodPost, "/api/graphql", s.endpoint(s.graphQLRoute()))
	r.NotFound(func(w http.ResponseWriter, r *http.Request) {
		s.write(w, r, s.pageError(http.StatusNotFound, "This page does not exist."))
	})
	return r
}

func (s *Server) apiHandler(routes []route) http.Handler {
	r := chi.NewRouter()
	for _, e := range routes {
		r.Method(e.method, e.pattern, s.endpoint(e))
	}
	notFound := func(w http.ResponseWriter, r *http.Request) { s.write(w, r, fail(http.StatusNotFound, "Not Found")) }
	r.NotFound(notFound)
	r.MethodNotAllowed(notFound)
	return r
}

// sleep waits for real time, not simulated: it is the network that is slow.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func randomFrom(alphabet string, n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return string(b)
}

func randomHex(n int) string { return randomFrom("0123456789abcdef", n) }

// window counts events in the hour that began with the first of them.
type window struct {
	start time.Time
	count int
}

func (s *Server) hour(m map[string]*window, key string) *window {
	w := m[key]
	if w == nil || s.Now().Sub(w.start) >= time.Hour {
		w = &window{start: s.Now()}
		m[key] = w
	}
	return w
}
