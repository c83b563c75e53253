package hubapi_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubapi"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

func TestCalledNamesNobody(t *testing.T) {
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
	seen := map[string]int{}
	client := hubapi.New(api, api, nil, server.Client(), func(endpoint, status string, _ time.Duration) { seen[endpoint+" "+status]++ })
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

	require.Equal(t, map[string]int{
		"GET /user 200": 1, "GET /user none": 1, "GET /users/{user} 200": 1,
		"POST /users/{user}/server 201": 1, "POST /users/{user}/servers/{server} 201": 1,
	}, seen)
}
