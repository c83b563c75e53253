package server_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/server"
	"github.com/ghscoped/ghscoped-service/web"
)

// get asks a service of its own, whose clock and readiness the test holds.
func get(t *testing.T, ready func(context.Context) error, clock func() time.Time) func(path string) *httptest.ResponseRecorder {
	t.Helper()
	pages, err := web.New(web.Options{Prefix: prefix, HubPrefix: "/hub/", GitHubHost: "github.com"})
	require.NoError(t, err)
	handler := server.New(server.Options{Prefix: prefix, Pages: pages, Ready: ready, Clock: clock,
		Logger: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()}).Handler()
	return func(path string) *httptest.ResponseRecorder {
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, prefix+path, nil))
		return recorder
	}
}

func TestReadyTellsWhoAsksOftenWhatTheLastLookSaw(t *testing.T) {
	t.Parallel()
	now, looks, trouble := time.Unix(1_700_000_000, 0), 0, error(nil)
	ask := get(t, func(context.Context) error { looks++; return trouble }, func() time.Time { return now })

	for range 100 {
		require.Equal(t, http.StatusOK, ask("readyz").Code)
	}
	require.Equal(t, 1, looks)

	trouble = errors.New("the store is away")
	now = now.Add(time.Second)
	answer := ask("readyz")
	require.Equal(t, http.StatusServiceUnavailable, answer.Code)
	require.NotContains(t, answer.Body.String(), "store", "the cause is for the log")
	require.Equal(t, http.StatusOK, ask("healthz").Code)
}

func TestReadyTellsAnErrorOfOurOwnLikeAnyOther(t *testing.T) {
	t.Parallel()
	ask := get(t, func(context.Context) error { panic("a mistake") }, time.Now)
	answer := ask("readyz")
	require.Equal(t, http.StatusInternalServerError, answer.Code)
	require.Contains(t, answer.Body.String(), "Something went wrong inside the service.")
	require.NotContains(t, answer.Body.String(), "a mistake")
}
