package app_test

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/app"
	"github.com/ghscoped/ghscoped-service/internal/store"
	"github.com/ghscoped/ghscoped-service/internal/store/redistest"
)

// rotated is a Hub that has replaced the service's token.
type rotated struct{ asked atomic.Int32 }

func (h *rotated) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.asked.Add(1)
	if r.Header.Get("Authorization") != "token the-new-one" {
		w.WriteHeader(http.StatusForbidden) // as a real Hub says
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"kind":"service","name":"connect-github","scopes":[]}`)
}

func TestReadyTellsThatTheHubRefusesTheTokenAndItsFileIsReadAgain(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte("the-old-one\n"), 0o600))
	var later atomic.Int64 // seconds
	clock := func() time.Time { return time.Unix(1_700_000_000+later.Load(), 0) }
	hub, registry := &rotated{}, prometheus.NewRegistry()
	service := build(t, hub, app.Dependencies{Clock: clock, Registry: registry}, "GHSCOPED_HUB_TOKEN_FILE="+file)
	require.NoError(t, service.Start(t.Context()))
	ready := func() int {
		later.Add(1) // what was seen counts for a second
		got := <-ask(at(service) + "readyz")
		require.NoError(t, got.err)
		return got.status
	}

	require.Equal(t, http.StatusServiceUnavailable, ready())
	require.Equal(t, int32(1), hub.asked.Load(), "once for each look, and by nothing else")
	require.Equal(t, uint64(1), hubCalls(t, registry, "403"))

	require.NoError(t, os.WriteFile(file, []byte("the-new-one\n"), 0o600))
	require.Equal(t, http.StatusOK, ready())
	require.Equal(t, int32(2), hub.asked.Load())
	require.NoError(t, service.Stop(t.Context()))
}

// hubCalls is how many calls of the Hub ended with a status.
func hubCalls(t *testing.T, registry *prometheus.Registry, status string) (calls uint64) {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() != "ghscoped_hub_request_duration_seconds" {
			continue
		}
		for _, m := range family.Metric {
			if hasLabel(m, "status", status) {
				calls += m.GetHistogram().GetSampleCount()
			}
		}
	}
	return calls
}

func hasLabel(m *dto.Metric, name, value string) bool {
	for _, label := range m.Label {
		if label.GetName() == name && label.GetValue() == value {
			return true
		}
	}
	return false
}

func TestReadyWithoutRedisThePageSaysSoAndTheSessionLasts(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t, redistest.Redis, "--appendonly", "yes", "--appendfsync", "always")
	keys := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, os.WriteFile(keys, []byte(store.NewKey().Reveal()+"\n"), 0o600))
	hub := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { // ada is whoever asks, and signs in
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token":"ada","token_type":"Bearer","kind":"user","name":"ada","created":"2026-01-05T08:00:00Z",`+
			`"scopes":["access:services!service=connect-github"],"servers":{}}`)
	})
	redis.Stop(t)
	service := build(t, hub, app.Dependencies{Clock: time.Now, Registry: prometheus.NewRegistry()}, ownToken,
		"GHSCOPED_STORE="+redis.URL(""), "GHSCOPED_KEY_FILE="+keys)
	require.NoError(t, service.Start(t.Context()), "Redis may be down at the start")
	redis.Restart(t)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	get := func(path string) (*http.Response, string) {
		t.Helper()
		response, err := browser.Get(at(service) + path)
		require.NoError(t, err)
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response, string(body)
	}
	signIn, _ := get("")
	toHub, err := signIn.Location()
	require.NoError(t, err)
	get("oauth_callback?code=c&state=" + toHub.Query().Get("state"))
	_, page := get("")
	require.Contains(t, page, `data-state="none"`)

	redis.Stop(t)
	away, page := get("")
	require.Less(t, away.StatusCode, 500)
	require.Contains(t, page, `data-state="unavailable"`)
	require.NotEmpty(t, away.Header.Get("Retry-After"))
	unready, _ := get("readyz")
	require.Equal(t, http.StatusServiceUnavailable, unready.StatusCode)
	redis.Restart(t)
	_, page = get("")
	require.Contains(t, page, `data-state="none"`, "nobody was signed out")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, service.Stop(ctx))
}
