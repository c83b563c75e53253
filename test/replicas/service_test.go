package replicas_test

import (
	"context"
	"errors"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// replica is one process of the service.
type replica struct {
	env []string
	url string // of its page

	mu      sync.Mutex
	process *hubtest.Program
	logs    [][]byte // of the processes before
}

func (r *replica) start(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	process, err := rig.Start(r.env, nil, program, "serve")
	if err != nil {
		return err
	}
	r.process = process
	return hubtest.Answers(ctx, r.url+"healthz", process.Done())
}

func (r *replica) kill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	rig.Kill(r.process)
	r.logs = append(r.logs, r.process.Log.Bytes())
}

func (r *replica) stop() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.process.Stop(15 * time.Second)
	r.logs = append(r.logs, r.process.Log.Bytes())
	return err
}

// balancer sends each request to a replica at random, and to another one where
// that is not there.
func balancer(address string, replicas []*replica) (*http.Server, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	var targets []*url.URL
	for _, r := range replicas {
		target, err := url.Parse(r.url)
		if err != nil {
			return nil, err
		}
		targets = append(targets, target)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.Out.Host = r.In.Host },
		Transport:     anyOf{targets, &http.Transport{MaxIdleConnsPerHost: 64}},
		FlushInterval: -1, // events
		ErrorLog:      log.New(io.Discard, "", 0),
	}
	server := &http.Server{Handler: proxy, ReadHeaderTimeout: 10 * time.Second, ErrorLog: proxy.ErrorLog}
	go func() { _ = server.Serve(listener) }()
	return server, nil
}

type anyOf struct {
	targets []*url.URL
	next    http.RoundTripper
}

func (a anyOf) RoundTrip(r *http.Request) (response *http.Response, err error) {
	targets := slices.Clone(a.targets)
	rand.Shuffle(len(targets), func(i, j int) { targets[i], targets[j] = targets[j], targets[i] })
	for _, target := range targets {
		r.URL.Scheme, r.URL.Host = target.Scheme, target.Host
		var refused *net.OpError
		response, err = a.next.RoundTrip(r)
		if !errors.As(err, &refused) || refused.Op != "dial" {
			break // only what was never sent may be sent again
		}
	}
	return response, err
}
