package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/ghscoped/ghscoped-service/internal/app"
	"github.com/ghscoped/ghscoped-service/internal/config"
	"github.com/ghscoped/ghscoped-service/internal/release"
)

// stopLimit is how long the service may take to hand over what it does: less
// than the 30 s after which Kubernetes kills, and than what the Hub waits.
const stopLimit = 10 * time.Second

func newServe(in invocation) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run the service; what happens without a command, too",
		Long: `Runs the service until it gets SIGTERM. It logs JSON lines on standard error and
writes audit events, also JSON lines, on standard output.

Exit codes: 0 it was stopped; 1 it could not start or go on; 2 the settings.`,
		Args: atMost(0),
		RunE: in.serve,
	}
}

// serve runs the service until the context ends, or until it answers nobody any
// more. What goes wrong is in the log.
func (in invocation) serve(cmd *cobra.Command, _ []string) error {
	cfg, err := in.settings(cmd)
	if err != nil {
		return err
	}
	if code := in.serveWith(cmd.Context(), cfg); code != exitOK {
		return &failure{code: code}
	}
	return nil
}

func (in invocation) serveWith(ctx context.Context, cfg config.Config) int {
	logger := slog.New(slog.NewJSONHandler(in.stderr, &slog.HandlerOptions{Level: cfg.Service.LogLevel}))
	if err := noCoreDumps(); err != nil {
		logger.Warn("core dumps could not be switched off", "error", err)
	}
	s, err := in.build(cfg, app.Dependencies{
		Logger: logger, Audit: in.stdout, Clock: time.Now, HTTP: direct(), GitHub: proxied(), Issuers: proxiedTo, Registry: prometheus.NewRegistry(),
		Version: release.Version(),
	})
	if err != nil {
		logger.Error("the service cannot be set up", "error", err)
		return exitFault
	}
	if err := s.Start(ctx); err != nil {
		logger.Error("the service cannot start", "error", err)
		return exitFault
	}
	logger.Info("serving", "address", s.Addr().String(), "prefix", cfg.Service.Prefix, "version", release.Version())

	code := exitOK
	select {
	case <-ctx.Done():
		logger.Info("stopping")
	case err := <-s.Failed():
		logger.Error("stopping, since nobody is answered any more", "error", err)
		code = exitFault
	}
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	if err := s.Stop(stopCtx); err != nil {
		logger.Error("the service did not stop in order", "error", err)
		return exitFault
	}
	logger.Info("stopped")
	return code
}

// idleConnections are kept to each host. Go keeps 2, so that most polls of a
// GitHub that speaks HTTP/1, and most calls of the Hub, would connect again.
const idleConnections = 64

// direct is the client for the Hub and users' servers. They are near, and Hub
// tokens go there over plain HTTP: no proxy may see them, whatever HTTP_PROXY
// says for GitHub.
func direct() *http.Client {
	transport := pooled()
	transport.Proxy = nil
	return &http.Client{Transport: transport}
}

// proxied is the client for GitHub, which is often reached through a proxy
// (HTTPS_PROXY). Inside the tunnel everything is encrypted for GitHub.
func proxied() *http.Client { return &http.Client{Transport: pooled()} }

// proxiedTo is proxied for hosts whose certificates one of roots has signed.
func proxiedTo(roots *x509.CertPool) *http.Client {
	transport := pooled()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	return &http.Client{Transport: transport}
}

func pooled() *http.Transport {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = idleConnections
	return transport
}
