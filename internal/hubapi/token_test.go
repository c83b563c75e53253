package hubapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/hubapi"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// tokens is a Hub that makes tokens with these scopes, and notes what it is asked.
func tokens(t *testing.T, scopes ...string) (client *hubapi.Client, asked *[]string) {
	t.Helper()
	asked = &[]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		line := r.Method + " " + r.URL.EscapedPath() + " " + r.Header.Get("Authorization")
		var body map[string]any
		if json.NewDecoder(r.Body).Decode(&body) == nil {
			delete(body, "note")
			content, _ := json.Marshal(body)
			line += " " + string(content)
		}
		*asked = append(*asked, line)
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(map[string]any{"id": "a7", "token": "made", "scopes": scopes})
	}))
	t.Cleanup(server.Close)
	api, err := url.Parse(server.URL + "/hub/api")
	require.NoError(t, err)
	return hubapi.New(api, api, nil, server.Client(), nil), asked
}

func TestServerTokenAsksForOneServer(t *testing.T) {
	t.Parallel()
	client, asked := tokens(t, "access:servers!server=o'malley x/gpu + 1", "read:users:name!user=o'malley x", "read:users:groups!user=o'malley x")
	made, err := client.ServerToken(t.Context(), secret.New("own"), "o'malley x", "gpu + 1", 2*time.Minute)
	require.NoError(t, err)
	require.Equal(t, "a7 made", made.ID+" "+made.Token.Reveal())
	require.NoError(t, client.DeleteToken(t.Context(), secret.New("own"), "o'malley x", made.ID))
	require.Equal(t, []string{
		`POST /hub/api/users/o%27malley%20x/tokens token own {"expires_in":120,"scopes":["access:servers!server=o'malley x/gpu + 1"]}`,
		`DELETE /hub/api/users/o%27malley%20x/tokens/a7 token own`,
	}, *asked)
}

func TestServerTokenThatDoesMoreIsDeleted(t *testing.T) {
	t.Parallel()
	for name, scopes := range map[string][]string{
		"all servers":        {"access:servers!user=ada"},
		"all servers, too":   {"access:servers!server=ada/x", "access:servers!user=ada"},
		"another server":     {"access:servers!server=ada/y"},
		"everybody":          {"access:servers!server=ada/x", "read:users:name!user=ada", "list:users"},
		"nothing":            {},
		"a name that begins": {"access:servers!server=ada/xy"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, asked := tokens(t, scopes...)
			_, err := client.ServerToken(t.Context(), secret.New("own"), "ada", "x", time.Minute)
			require.Error(t, err)
			require.Len(t, *asked, 2)
			require.Equal(t, "DELETE /hub/api/users/ada/tokens/a7 token own", (*asked)[1])
		})
	}
}

func TestIsServer(t *testing.T) {
	t.Parallel()
	own := []string{"access:servers!server=ada/x", "access:services!service=connect-github", "users:activity!user=ada"}
	for name, c := range map[string]struct {
		user hub.User
		want bool
	}{
		"its own token":                    {hub.User{Kind: "user", Name: "ada", Scopes: own}, true},
		"another server's":                 {hub.User{Kind: "user", Name: "ada", Scopes: []string{"access:servers!server=ada/y", "users:activity!user=ada"}}, false},
		"the default server's":             {hub.User{Kind: "user", Name: "ada", Scopes: []string{"access:servers!server=ada/", "users:activity!user=ada"}}, false},
		"one made for a delivery":          {hub.User{Kind: "user", Name: "ada", Scopes: []string{"access:servers!server=ada/x", "read:users:name!user=ada"}}, false},
		"one that opens all servers":       {hub.User{Kind: "user", Name: "ada", Scopes: []string{"access:servers!user=ada", "users:activity!user=ada"}}, false},
		"that of a user who shares it":     {hub.User{Kind: "user", Name: "eve", Scopes: own}, false},
		"that of a service":                {hub.User{Kind: "service", Name: "ada", Scopes: own}, false},
		"a token without scopes to be had": {hub.User{Kind: "user", Name: "ada"}, false},
	} {
		require.Equal(t, c.want, c.user.IsServer("ada", "x"), name)
	}
}
