package oidcsim

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// Paths below the issuer's address.
const (
	DiscoveryPath = "/.well-known/openid-configuration"
	KeysPath      = "/.well-known/jwks"
)

// Options say what an issuer is like. The zero value is one over http on a free port.
type Options struct {
	// TLS has it serve https, with a certificate of its own CA (CAPEM).
	TLS bool
	// Path is the issuer's path, such as /_services/token on GitHub Enterprise Server.
	Path string
	// Clock tells the time that tokens are issued at; time.Now, if nil.
	Clock func() time.Time
}

// Issuer is one issuer. Make it with Start, end it with Close.
type Issuer struct {
	opts   Options
	url    string
	ca     *authority
	server *http.Server

	mu       sync.Mutex
	keys     []*key // the last one signs
	jobs     map[string]Job
	jobCount int
	jtis     int
	delay    time.Duration
	outage   int
	override map[string]http.Handler
	requests map[string]int
}

// Start listens on a free port of 127.0.0.1.
func Start(o Options) (*Issuer, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	i := &Issuer{opts: o, jobs: map[string]Job{}, override: map[string]http.Handler{}, requests: map[string]int{}}
	if err := i.Rotate(); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	i.url = "http://" + listener.Addr().String() + o.Path
	if o.TLS {
		if i.ca, err = newAuthority(); err != nil {
			return nil, errors.Join(err, listener.Close())
		}
		i.url = "https://" + listener.Addr().String() + o.Path
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{i.ca.leaf}, NextProtos: []string{"http/1.1"}})
	}
	i.server = &http.Server{Handler: i.handler(), ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = i.server.Serve(listener) }()
	return i, nil
}

// Close ends every connection.
func (i *Issuer) Close() error { return i.server.Close() }

// URL is the issuer's name and address, without a final slash.
func (i *Issuer) URL() string { return i.url }

// CAPEM is the certificate to trust where Options.TLS is set, else nil.
func (i *Issuer) CAPEM() []byte {
	if i.ca == nil {
		return nil
	}
	return i.ca.pem
}

// Client trusts the issuer's certificate, and nobody else's.
func (i *Issuer) Client() *http.Client {
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: i.ca.pool(), MinVersion: tls.VersionTLS12}}}
}

func (i *Issuer) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+i.opts.Path+DiscoveryPath, i.discovery)
	mux.HandleFunc("GET "+i.opts.Path+KeysPath, i.publicKeys)
	mux.HandleFunc("GET "+i.opts.Path+jobPath+"{number}/idtoken", i.giveToken)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path[min(len(i.opts.Path), len(r.URL.Path)):]
		i.mu.Lock()
		i.requests[path]++
		delay, outage, override := i.delay, i.outage, i.override[path]
		i.mu.Unlock()
		select {
		case <-time.After(delay): // real time: it is the network that is slow
		case <-r.Context().Done():
			return
		}
		switch {
		case outage != 0:
			http.Error(w, http.StatusText(outage), outage)
		case override != nil:
			override.ServeHTTP(w, r)
		default:
			mux.ServeHTTP(w, r)
		}
	})
}

// Delay has every answer come that much later.
func (i *Issuer) Delay(d time.Duration) { i.mu.Lock(); defer i.mu.Unlock(); i.delay = d }

// Outage has every request answered with that status; 0 ends it.
func (i *Issuer) Outage(status int) { i.mu.Lock(); defer i.mu.Unlock(); i.outage = status }

// Override has the handler answer at a path below the issuer's address, such as
// KeysPath; nil ends it.
func (i *Issuer) Override(path string, h http.Handler) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.override[path] = h
}

// Requests is how many times a path below the issuer's address was asked for.
func (i *Issuer) Requests(path string) int { i.mu.Lock(); defer i.mu.Unlock(); return i.requests[path] }

func (i *Issuer) discovery(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, map[string]any{
		"issuer": i.url, "jwks_uri": i.url + KeysPath,
		"subject_types_supported": []string{"public", "pairwise"}, "response_types_supported": []string{"id_token"},
		"id_token_signing_alg_values_supported": []string{"RS256"}, "scopes_supported": []string{"openid"},
	})
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(v) // who asked has gone: nothing to be done
}
