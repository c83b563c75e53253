package server_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/hub"
)

// own is the service's own Hub token in these tests.
const own = "s"

func TestFlowShowsACodeToWhoBeganItOnly(t *testing.T) {
	t.Parallel()
	const shown = `"user_code":"WDJB-MJHT"`
	t.Run("a browser's", func(t *testing.T) {
		t.Parallel()
		f := setUp(t)
		ada := f.signIn("ada")
		require.Contains(t, read(t, ada.write(http.MethodPost, "api/flows")), shown)
		require.Contains(t, read(t, ada.do(http.MethodGet, "", nil, nil)), "WDJB")
		for _, token := range []string{"server-ada", "joint-ada", "own-ada"} {
			require.NotContains(t, read(t, f.program(http.MethodGet, "api/flows/current", token, "")), shown, token)
		}
		response := f.program(http.MethodPost, "api/flows", "server-ada", "")
		require.Equal(t, http.StatusOK, response.StatusCode)
		require.NotContains(t, read(t, response), shown)
	})
	t.Run("a program's", func(t *testing.T) {
		t.Parallel()
		f := setUp(t)
		ada := f.signIn("ada")
		require.Contains(t, read(t, f.program(http.MethodPost, "api/flows", "joint-ada", "")), shown)
		require.Contains(t, read(t, f.program(http.MethodGet, "api/flows/current", "joint-ada", "")), shown)
		require.NotContains(t, read(t, f.program(http.MethodGet, "api/flows/current", "server-ada", "")), shown)
		require.NotContains(t, read(t, ada.do(http.MethodGet, "api/flows/current", nil, nil)), shown)
		page := read(t, ada.do(http.MethodGet, "", nil, nil))
		require.NotContains(t, page, "WDJB")
		require.Contains(t, page, `id="asking"`)
		require.Contains(t, page, "joint")
		require.Contains(t, page, `id="connect"`, "she can connect herself")
	})
}

func TestFlowOfAProgramNamesNoServers(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	response := f.program(http.MethodPost, "api/flows", "server-ada", `{"servers":["other"]}`)
	require.Equal(t, http.StatusForbidden, response.StatusCode)
	require.Equal(t, "servers_named", code(t, response))
	require.Zero(t, f.github.codes)
}

func TestPageAsksAboutWhatAProgramConnected(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	ada := f.signIn("ada")
	require.Equal(t, http.StatusCreated, f.program(http.MethodPost, "api/flows", "joint-ada", "").StatusCode)
	f.approved(func(user *flow.User) bool { return user.Connection != nil && user.Flow.State == flow.Connected })
	page := read(t, ada.do(http.MethodGet, "", nil, nil))
	require.Contains(t, page, `id="by-program"`)
	require.Contains(t, page, "A program connected <bdi>octocat</bdi>")
	response := ada.do(http.MethodGet, "api/connection", nil, nil)
	require.Contains(t, read(t, response), `"servers":["joint"],"program":"joint"`)

	require.Equal(t, http.StatusAccepted, ada.write(http.MethodPost, "api/deliveries").StatusCode)
	require.NotContains(t, read(t, ada.do(http.MethodGet, "", nil, nil)), `id="by-program"`)
}

func TestPersonThatTheHubDoesNotShowIsToldWhatToAllow(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	f.hubUser["hub-old"] = hub.User{Kind: "user", Name: "old", Scopes: []string{access}}
	f.hubUser["server-old"] = hub.User{Kind: "user", Name: "old", Scopes: []string{access, "access:servers!server=old/"}}
	b := f.browser()
	at, err := b.do(http.MethodGet, "", nil, nil).Location()
	require.NoError(t, err)
	require.Equal(t, http.StatusFound, b.do(http.MethodGet, "oauth_callback?code=old&state="+at.Query().Get("state"), nil, nil).StatusCode)
	response := b.do(http.MethodGet, "", nil, nil)
	require.Less(t, response.StatusCode, 500)
	page := read(t, response)
	require.Contains(t, page, "hub_scope_missing")
	require.Contains(t, page, "read:users!user")
	require.Contains(t, page, "oauth_client_allowed_scopes")
	for _, path := range []string{"api/connection", "api/flows/current/events"} {
		response = f.program(http.MethodGet, path, "server-old", "")
		require.Equal(t, http.StatusForbidden, response.StatusCode)
		require.Equal(t, "hub_scope_missing", code(t, response))
	}
}

func TestEventsOfTheFormerOwnerEnd(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	ada := f.signIn("ada")
	stream := ada.do(http.MethodGet, "api/flows/current/events", nil, nil)
	first := make([]byte, 64)
	_, err := stream.Body.Read(first)
	require.NoError(t, err)

	f.hub.Lock()
	delete(f.hubUser, "hub-ada")
	newcomer := hub.User{Kind: "user", Name: "ada", Created: "2026-11-02T09:00:00Z", Scopes: []string{access}}
	f.hubUser["hub-newcomer"] = newcomer
	f.hub.Unlock()
	again := f.signIn("newcomer")
	require.Equal(t, http.StatusCreated, again.write(http.MethodPost, "api/flows").StatusCode)
	rest := read(t, stream)
	require.NotContains(t, rest, "WDJB")
	require.NotContains(t, rest, "pending")
	require.Equal(t, http.StatusUnauthorized, ada.do(http.MethodGet, "api/flows/current", nil, nil).StatusCode)
}

func TestUserEnd(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	ada := f.signIn("ada")
	f.connect(ada)
	for name, token := range map[string]string{"no token": "", "a wrong one": "x", "a server's": "server-ada", "a service's": "service-bot"} {
		require.Equal(t, "own_token_only", code(t, f.program(http.MethodDelete, "api/users/ada", token, "")), name)
	}
	require.Equal(t, "own_token_only", code(t, ada.write(http.MethodDelete, "api/users/ada")), "a session, with all that a page has")
	user, err := f.users.Load(t.Context(), "ada")
	require.NoError(t, err)
	require.NotNil(t, user.Connection)

	response := f.program(http.MethodDelete, "api/users/nobody", own, "")
	require.Equal(t, http.StatusNotFound, response.StatusCode)
	require.Equal(t, "no_record", code(t, response))
	require.Equal(t, http.StatusNoContent, f.program(http.MethodDelete, "api/users/ada", own, "").StatusCode)
	user, err = f.users.Load(t.Context(), "ada")
	require.NoError(t, err)
	require.Nil(t, user.Connection)
	require.Len(t, user.Revocations, 1)
}

func TestUserEndOfANameThatNeedsEscaping(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ü$&", "x@y.org", "a b", "100%", "%2e", "o'malley", "a+b", "a/b"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setUp(t)
			require.NoError(t, f.users.Save(t.Context(), &flow.User{Name: name, Created: created, BoundAccount: 1}))
			require.Equal(t, http.StatusNoContent, f.program(http.MethodDelete, "api/users/"+url.PathEscape(name), own, "").StatusCode)
		})
	}
}
