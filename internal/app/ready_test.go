package app_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/app"
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

func TestATokenThatTheHubRefusesIsToldAndReadAgainFromItsFile(t *testing.T) {
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
