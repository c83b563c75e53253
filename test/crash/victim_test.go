package crash_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ghscoped/ghscoped-service/internal/app"
	"github.com/ghscoped/ghscoped-service/internal/config"
	"github.com/ghscoped/ghscoped-service/internal/store"
)

// What the test tells the service beyond its settings.
const (
	envVictim = "CRASH_USER"  // this process is the service, for that user
	envPoint  = "CRASH_POINT" // where to die
	envTrace  = "CRASH_TRACE" // file that gets every point passed
)

// TestMain is the service where envVictim says so.
func TestMain(m *testing.M) {
	if os.Getenv(envVictim) == "" {
		os.Exit(m.Run())
	}
	if err := victim(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func victim() error {
	cfg, err := config.Load("", os.Environ(), os.ReadFile)
	if err != nil {
		return err
	}
	points, err := newMarks()
	if err != nil {
		return err
	}
	outside := &http.Client{Transport: transport{points, hosts(cfg.GitHub.URL, cfg.Hub.APIURL), os.Getenv(envVictim)}}
	service, err := app.New(cfg, app.Dependencies{
		Logger: slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Clock:  time.Now,
		HTTP:   outside, GitHub: outside,
		Audit: os.Stdout, Registry: prometheus.NewRegistry(),
		WrapStore: func(b store.Backend) store.Backend { return backend{b, points} },
	})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := service.Start(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return service.Stop(ctx)
}

func newMarks() (*marks, error) {
	points := &marks{deadly: os.Getenv(envPoint), trace: io.Discard, passed: map[string]int{}}
	var err error
	if path := os.Getenv(envTrace); path != "" {
		points.trace, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	}
	return points, err
}

func hosts(addresses ...*url.URL) (hosts []string) {
	for _, address := range addresses {
		hosts = append(hosts, address.Host)
	}
	return hosts
}
