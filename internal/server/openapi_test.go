package server_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/ghscoped/ghscoped-service/internal/server"
	"github.com/ghscoped/ghscoped-service/web"
)

func TestOpenAPINamesEveryRoute(t *testing.T) {
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

// requireDescribed compares an answer of the API with its description: the
// status has to be there, and a JSON body has what is said there and nothing
// else. It reads as much of JSON schema as openapi.yaml needs for that.
func requireDescribed(t testing.TB, method, path string, response *http.Response) {
	t.Helper()
	path, _, _ = strings.Cut("/"+path, "?")
	path = regexp.MustCompile(`^/api/(credential|bot-tokens)/.*`).ReplaceAllString(path, "/api/$1/{id}")
	all := description()
	path = regexp.MustCompile(`^/api/users/.*`).ReplaceAllString(path, "/api/users/{name}")
	operation, known := dig(all, "paths", path, strings.ToLower(method))
	if !known || !strings.HasPrefix(path, "/api/") {
		return
	}
	answer, known := dig(operation, "responses", strconv.Itoa(response.StatusCode))
	require.True(t, known, "%s %s answers %d, which is not described", method, path, response.StatusCode)
	if schema, isJSON := dig(resolve(all, answer), "content", "application/json", "schema"); isJSON {
		body, err := io.ReadAll(response.Body)
		require.NoError(t, errors.Join(err, response.Body.Close()))
		response.Body = io.NopCloser(bytes.NewReader(body))
		var value any
		require.NoError(t, json.Unmarshal(body, &value))
		requireFits(t, all, schema, value, method+" "+path)
	}
}

var description = sync.OnceValue(func() (all any) {
	content, _ := os.ReadFile("openapi.yaml")
	_ = yaml.Unmarshal(content, &all)
	return all
})

func dig(value any, keys ...string) (any, bool) {
	for _, key := range keys {
		value = value.(map[string]any)[key]
		if value == nil {
			return nil, false
		}
	}
	return value, true
}

func resolve(all, value any) any {
	if ref, is := dig(value, "$ref"); is {
		value, _ = dig(all, strings.Split(strings.TrimPrefix(ref.(string), "#/"), "/")...)
	}
	return value
}

func requireFits(t testing.TB, all, schema, value any, at string) {
	t.Helper()
	s := resolve(all, schema).(map[string]any)
	if choices, limited := s["enum"]; limited {
		require.Contains(t, choices, value, at)
	}
	switch v := value.(type) {
	case map[string]any:
		require.Equal(t, "object", s["type"], at)
		required, _ := s["required"].([]any)
		for _, name := range required {
			require.Contains(t, v, name, at)
		}
		for name, part := range v {
			below, named := dig(s, "properties", name)
			if !named {
				below = s["additionalProperties"]
			}
			require.NotNil(t, below, "%s: %s is not described", at, name)
			requireFits(t, all, below, part, at+"."+name)
		}
	case []any:
		require.Equal(t, "array", s["type"], at)
		for _, item := range v {
			requireFits(t, all, s["items"], item, at)
		}
	}
}

// contract is what callers were promised; it changes only with a decision.
var contract = []string{
	"GET /", "GET /oauth_callback",
	"POST /api/flows", "GET /api/flows/current", "GET /api/flows/current/events", "DELETE /api/flows/current",
	"GET /api/connection", "DELETE /api/connection",
	"POST /api/deliveries", "POST /api/credential", "DELETE /api/credential/{id}", "GET /api/openapi.yaml",
	"POST /api/bot-tokens", "GET /api/bot-tokens", "DELETE /api/bot-tokens/{id}",
	"DELETE /api/users/{name}",
}
