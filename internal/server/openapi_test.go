package server_test

import (
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/ghscoped/ghscoped-service/internal/server"
	"github.com/ghscoped/ghscoped-service/web"
)

func TestTheDescriptionNamesEveryRouteOfTheAPI(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("openapi.yaml")
	require.NoError(t, err)
	var description struct {
		Paths map[string]map[string]any `yaml:"paths"`
	}
	require.NoError(t, yaml.Unmarshal(content, &description))
	var described []string
	for path, methods := range description.Paths {
		for method := range methods {
			described = append(described, strings.ToUpper(method)+" "+path)
		}
	}
	require.ElementsMatch(t, contract, described)

	pages, err := web.New(web.Options{Prefix: prefix, HubPrefix: "/hub/", GitHubHost: "github.com"})
	require.NoError(t, err)
	handler := server.New(server.Options{Prefix: prefix, Pages: pages, Logger: slog.New(slog.DiscardHandler),
		Registry: prometheus.NewRegistry(), Clock: time.Now}).Handler()
	var served []string
	walk := func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		path := "/" + strings.TrimPrefix(route, prefix)
		served = append(served, method+" "+path)
		if strings.HasPrefix(path, "/api/") && !slices.Contains(described, method+" "+path) {
			t.Errorf("%s %s is not described", method, path)
		}
		return nil
	}
	require.NoError(t, chi.Walk(handler.(chi.Routes), walk))
	require.Subset(t, served, described)
}

// contract is what callers were promised; it changes only with a decision.
var contract = []string{
	"GET /", "GET /oauth_callback",
	"POST /api/flows", "GET /api/flows/current", "GET /api/flows/current/events", "DELETE /api/flows/current",
	"GET /api/connection", "DELETE /api/connection",
	"POST /api/deliveries", "POST /api/credential", "DELETE /api/credential/{id}", "GET /api/openapi.yaml",
	"POST /api/bot-tokens", "GET /api/bot-tokens", "DELETE /api/bot-tokens/{id}",
}
