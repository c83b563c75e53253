package app

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ghscoped/ghscoped-service/internal/config"
	"github.com/ghscoped/ghscoped-service/internal/store"
)

const (
	// headerLimit bounds how long and how large a request's headers may be.
	headerTime  = 10 * time.Second
	headerBytes = 128 << 10 // so that a token of any size is refused by a code of ours
	// readTime bounds a request's body, writeTime an answer and what it takes to
	// make it. A stream of events stays open and has a limit for each event.
	readTime  = 30 * time.Second
	writeTime = 2 * time.Minute
	idleTime  = 2 * time.Minute
)

// Dependencies are what an App gets from the program it runs in.
type Dependencies struct {
	Logger *slog.Logger
	Clock  func() time.Time
	// HTTP reaches the Hub and users' servers. It must use no proxy of the
	// environment, which could read the tokens that go over plain HTTP.
	HTTP *http.Client
	// GitHub reaches GitHub, through a proxy where the environment names one.
	GitHub *http.Client
	// Issuers reaches issuers of workloads' identity tokens, whose certificates are
	// signed by one of roots, or for nil as the system has it; as GitHub, through a proxy.
	Issuers  func(roots *x509.CertPool) *http.Client
	Registry *prometheus.Registry
	// Audit takes one line of JSON for each thing that happened to a token.
	Audit   io.Writer
	Version string
	// WrapStore lets a test stand between the service and its store; nil: nobody
	// does.
	WrapStore func(store.Backend) store.Backend
}

// App is a configured service.
type App struct {
	config config.Config
	deps   Dependencies

	parts *parts
	web   *http.Server
	ops   *http.Server // nil where metrics have no address of their own

	listener net.Listener
	// stop ends the background work; ended is waited for.
	stop  context.CancelFunc
	ended sync.WaitGroup
	// abandon ends the requests that Stop could not wait for.
	abandon context.CancelCauseFunc
	failed  chan error // room for each listener's
}

// errStopped is why a request ends before its work is done.
var errStopped = errors.New("the service was stopped")

// New opens the store and joins the parts. Whatever it opened is closed again
// if it fails.
func New(cfg config.Config, deps Dependencies) (_ *App, err error) {
	registerBuild(deps.Registry, deps.Version)
	a := &App{config: cfg, deps: deps, failed: make(chan error, 2)}
	p := &parts{cfg: cfg, deps: deps}
	defer func() {
		if err != nil && p.backend != nil {
			err = errors.Join(err, p.backend.Close())
		}
	}()
	if err := p.join(); err != nil {
		return nil, err
	}
	a.parts = p
	a.web = a.httpServer(p.server.Handler())
	if cfg.Service.MetricsAddr != "" {
		a.ops = a.httpServer(p.server.Ops())
		a.ops.Addr = cfg.Service.MetricsAddr
	}
	return a, nil
}

func (a *App) httpServer(handler http.Handler) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true) // event streams take over their connections
	return &http.Server{
		Handler: handler, Protocols: &protocols, ReadHeaderTimeout: headerTime, ReadTimeout: readTime, WriteTimeout: writeTime, IdleTimeout: idleTime,
		MaxHeaderBytes: headerBytes, ErrorLog: slog.NewLogLogger(a.deps.Logger.Handler(), slog.LevelWarn),
	}
}

// Start listens and begins to work. It returns once requests are answered.
func (a *App) Start(ctx context.Context) error {
	listener, err := net.Listen("tcp", a.config.Service.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if a.ops != nil {
		ops, err := net.Listen("tcp", a.ops.Addr)
		if err != nil {
			return errors.Join(fmt.Errorf("listen for metrics: %w", err), listener.Close())
		}
		a.serve(a.ops, ops)
	}
	a.listener = listener
	ctx = context.WithoutCancel(ctx)
	requests, abandon := context.WithCancelCause(ctx)
	a.abandon = abandon
	a.web.BaseContext = func(net.Listener) context.Context { return requests }
	a.serve(a.web, listener)
	work, stop := context.WithCancel(ctx)
	a.stop = stop
	a.ended.Go(func() { a.parts.engine.Run(work) })
	a.ended.Go(func() { a.maintain(work) })
	a.ended.Go(func() { a.tryKey(work) })
	return nil
}

func (a *App) serve(s *http.Server, listener net.Listener) {
	a.ended.Go(func() {
		if err := s.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			a.failed <- fmt.Errorf("serve %s: %w", listener.Addr(), err)
		}
	})
}

// Failed tells of a listener that ended by itself: nobody is answered there any
// more, so that the service had better be stopped and started again.
func (a *App) Failed() <-chan error { return a.failed }

// Addr is where the service listens; known after Start.
func (a *App) Addr() net.Addr { return a.listener.Addr() }

// Stop ends the event streams, lets requests and steps under way finish until
// ctx ends, gives claimed records back, and closes the store.
func (a *App) Stop(ctx context.Context) error {
	a.stop()
	a.parts.server.EndStreams()
	err := a.web.Shutdown(ctx)
	a.abandon(errStopped)
	if a.ops != nil {
		err = errors.Join(err, a.ops.Shutdown(ctx))
	}
	a.ended.Wait()
	return errors.Join(err, a.parts.backend.Close())
}
