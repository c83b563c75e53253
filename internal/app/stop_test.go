package app_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/app"
	"github.com/ghscoped/ghscoped-service/internal/config"
)

const prefix = "/services/connect-github/"

// slowHub says who ada is, to the request that asks for that, when it is let go.
type slowHub struct {
	asked   chan struct{}
	letGo   chan struct{}
	waiting bool
}

func (h *slowHub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.waiting {
		h.asked <- struct{}{}
		select {
		case <-h.letGo:
		case <-r.Context().Done():
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"kind":"user","name":"ada","created":"2026-01-05T08:00:00Z","scopes":["access:services!service=connect-github","access:servers!server=ada/"]}`)
}

// build makes a service beside a Hub; the settings go after what all tests have
// alike, and so win.
func build(t *testing.T, hub http.Handler, deps app.Dependencies, settings ...string) *app.App {
	t.Helper()
	hubServer := httptest.NewServer(hub)
	t.Cleanup(hubServer.Close)
	cfg, err := config.Load("", append([]string{
		"JUPYTERHUB_SERVICE_NAME=connect-github",
		"JUPYTERHUB_API_URL=" + hubServer.URL + "/hub/api", "GHSCOPED_PROXY_URL=" + hubServer.URL,
		"GHSCOPED_LISTEN=127.0.0.1:0", "GHSCOPED_CLIENT_ID=Iv23none", "GHSCOPED_APP_URL=https://github.com/apps/none",
		"GHSCOPED_STORE=bolt:" + filepath.Join(t.TempDir(), "store.db"),
	}, settings...), os.ReadFile)
	require.NoError(t, err)
	deps.Logger, deps.HTTP, deps.GitHub = slog.New(slog.DiscardHandler), hubServer.Client(), hubServer.Client()
	deps.Audit, deps.Version = io.Discard, "test"
	service, err := app.New(cfg, deps)
	require.NoError(t, err)
	return service
}

const ownToken = "JUPYTERHUB_API_TOKEN=0123456789abcdef"

func start(t *testing.T, hub *slowHub) (service *app.App, address string) {
	t.Helper()
	service = build(t, hub, app.Dependencies{Clock: time.Now, Registry: prometheus.NewRegistry()}, ownToken)
	require.NoError(t, service.Start(t.Context()))
	return service, at(service)
}

// at is the address of a service that was started.
func at(service *app.App) string { return "http://" + service.Addr().String() + prefix }

// answer is what a program with ada's token was told, and whether it was told
// anything.
type answer struct {
	status int
	body   string
	err    error
}

func ask(address string) <-chan answer {
	told := make(chan answer, 1)
	go func() {
		request, _ := http.NewRequest(http.MethodGet, address, nil)
		request.Header.Set("Authorization", "token ada")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			told <- answer{err: err}
			return
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		told <- answer{response.StatusCode, string(body), err}
	}()
	return told
}

func TestStopAnswersARequestUnderWayFirst(t *testing.T) {
	t.Parallel()
	hub := &slowHub{asked: make(chan struct{}, 1), letGo: make(chan struct{}), waiting: true}
	service, address := start(t, hub)
	told := ask(address + "api/flows/current")
	<-hub.asked

	stopped := make(chan error, 1)
	go func() { stopped <- service.Stop(context.Background()) }()
	require.Eventually(t, func() bool { // it takes no new ones
		response, err := http.Get(address + "healthz")
		if err == nil {
			_ = response.Body.Close()
		}
		return err != nil
	}, 10*time.Second, time.Millisecond)
	close(hub.letGo)

	got := <-told
	require.NoError(t, got.err)
	require.Equal(t, http.StatusNotFound, got.status, got.body)
	require.Contains(t, got.body, `"no_flow"`)
	require.NoError(t, <-stopped)
}

func TestStopTellsARequestThatTakesTooLong(t *testing.T) {
	t.Parallel()
	hub := &slowHub{asked: make(chan struct{}, 1), letGo: make(chan struct{}), waiting: true}
	service, address := start(t, hub)
	told := ask(address + "api/flows/current")
	<-hub.asked

	atOnce, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, service.Stop(atOnce), context.Canceled)
	got := <-told
	require.NoError(t, got.err)
	require.Equal(t, http.StatusServiceUnavailable, got.status, got.body)
	require.Contains(t, got.body, `"error"`)
}

func TestStopIsNotHeldUpByAnOpenEventStream(t *testing.T) {
	t.Parallel()
	service, address := start(t, &slowHub{})
	request, err := http.NewRequest(http.MethodGet, address+"api/flows/current/events", nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "token ada")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	events := bufio.NewReader(response.Body)
	first, err := events.ReadString('\n')
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(first, "id: "), first)

	limited, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	require.NoError(t, service.Stop(limited))
	_, err = io.ReadAll(events)
	require.NoError(t, err, "the stream ends as streams do")
}
