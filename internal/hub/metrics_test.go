package hub_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/metrics"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

func TestEachCallIsMeasuredAndNamesNobody(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusCreated)
			return
		}
		_, _ = w.Write([]byte("{}"))
	}))
	api, err := url.Parse(server.URL + "/base/hub/api")
	require.NoError(t, err)
	registry := prometheus.NewRegistry()
	client := hub.New(api, api, nil, server.Client(), metrics.Hub(registry))
	token := secret.New("the-token")

	_, err = client.Whoami(t.Context(), token)
	require.NoError(t, err)
	_, err = client.Servers(t.Context(), token, "o'malley/../x")
	require.NoError(t, err)
	require.NoError(t, client.StartServer(t.Context(), token, "ada", ""))
	require.NoError(t, client.StartServer(t.Context(), token, "ada", "my server"))
	server.Close()
	_, err = client.Whoami(t.Context(), token)
	require.Error(t, err)

	families, err := registry.Gather()
	require.NoError(t, err)
	require.Len(t, families, 1)
	require.Equal(t, "ghscoped_hub_request_duration_seconds", families[0].GetName())
	seen := map[string]uint64{}
	for _, metric := range families[0].GetMetric() {
		labels := metric.GetLabel()
		seen[labels[0].GetValue()+" "+labels[1].GetValue()] = metric.GetHistogram().GetSampleCount()
	}
	require.Equal(t, map[string]uint64{
		"GET /user 200": 1, "GET /user none": 1, "GET /users/{user} 200": 1,
		"POST /users/{user}/server 201": 1, "POST /users/{user}/servers/{server} 201": 1,
	}, seen)
}
