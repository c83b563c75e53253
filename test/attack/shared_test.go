package attack_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/hubtest/journey"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// allowShares lets ada share servers, and the service see with whom.
const allowShares = `
c.JupyterHub.load_roles.append({"name": "sharing", "users": ["ada"], "scopes": ["shares!user", "read:users:name", "read:groups:name"]})
connect_github["oauth_client_allowed_scopes"].append("read:shares!user")
`

// ada has two servers: her own, and "joint", which she shares with eve. She connects
// and names none. eve, in a terminal of the joint server, gets nothing until ada has
// allowed that server, which the page says is shared.
func TestServersThatWereNotChosenGetNothing(t *testing.T) {
	for version, delivery := range map[string]string{"hub5": "push", "hub6": "pull"} {
		t.Run(version+", "+delivery, func(t *testing.T) {
			w := newWorld(t, hubtest.Options{Version: version, Extra: allowShares, ServiceEnv: map[string]string{
				"GHSCOPED_DELIVERY":           delivery,
				"GHSCOPED_HUB_ALLOWED_SCOPES": `["read:users!user", "read:servers!user", "tokens!user", "servers!user", "read:shares!user"]`,
			}})
			ctx := hubtest.Context(t)
			w.StartServer(t, "ada", "")
			joint := w.StartServer(t, "ada", "joint")
			adas := w.UserToken(t, "ada")
			status, err := w.Hub.API(ctx, adas, http.MethodPost, "/shares/ada/joint", map[string]any{"user": "eve"}, nil)
			require.NoError(t, err)
			require.Less(t, status, 300)

			ada := w.Visit(t, "ada")
			page := rig.Page(t, ada)
			require.Contains(t, page, "Shared with")
			require.Regexp(t, `name="server" value=""\s+checked`, page)
			require.NotRegexp(t, `name="server" value="joint"\s+checked`, page)
			token := w.connect(t, ada)
			var connection struct {
				Servers []string
				journey.Connection
			}
			rig.Call(t, ada, http.MethodGet, "api/connection", nil, &connection)
			require.Equal(t, []string{""}, connection.Servers)

			eves := w.UserToken(t, "eve")
			terminal, err := hubtest.OpenTerminal(ctx, joint, eves)
			require.NoError(t, err)
			eve := func(line string) string {
				t.Helper()
				said, _, err := terminal.Run(ctx, line)
				require.NoError(t, err)
				require.NotContains(t, said, token)
				return said
			}
			require.Contains(t, eve(w.askCredential()), "server_not_chosen")
			require.Contains(t, eve(w.ask(http.MethodGet, "api/connection", "")), "server_not_chosen")
			require.Contains(t, eve(w.ask(http.MethodDelete, "api/connection", "")), "server_not_chosen")
			env := "GHSCOPED_GITHUB_URL=" + w.GitHub.URL() + " GHSCOPED_URL=" + w.Hub.ServiceURL + " "
			require.Contains(t, eve(env+command+" status"), "not one of those that you allowed")
			question := `printf 'protocol=http\nhost=` + w.host() + `\n\n' | ` + env + command + " git-credential-ghscoped get"
			require.Contains(t, eve(question), "have not allowed this server")

			// A token of a user's own is no server's.
			require.Equal(t, http.StatusForbidden, rig.Call(t, w.Hub.Holder(adas), http.MethodPost, "api/credential", map[string]string{"protocol": "http", "host": w.host()}, nil))

			require.Equal(t, http.StatusAccepted, rig.Call(t, ada, http.MethodPost, "api/deliveries", map[string]any{"server": "joint"}, nil))
			said, _, err := terminal.Run(ctx, w.askCredential())
			require.NoError(t, err)
			require.Contains(t, said, token, "ada has allowed it")
		})
	}
}

// A program in a server begins a flow, and the attacker approves it. Nothing is
// delivered when ada opens the page, nothing replaces what she connected, and her
// own code is not shown to the program.
func TestProgramsDeliverNothing(t *testing.T) {
	w := newWorld(t, hubtest.Options{Version: "hub5"})
	ctx := hubtest.Context(t)
	w.StartServer(t, "ada", "")
	w.StartServer(t, "ada", "other")
	terminal := w.OpenTerminal(t, "ada", "")
	type answer struct {
		ID       string
		UserCode string `json:"user_code"`
		Error    struct{ Code string }
	}
	program := func(method, path, body string) (said answer) {
		t.Helper()
		text, _, err := terminal.Run(ctx, w.ask(method, path, body))
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal([]byte(text), &said), text)
		return said
	}
	ada := w.Visit(t, "ada")

	require.Equal(t, "servers_named", program(http.MethodPost, "api/flows", `{"servers":["other"]}`).Error.Code)
	begun := program(http.MethodPost, "api/flows", "{}")
	require.NotEmpty(t, begun.UserCode)
	page := rig.Page(t, ada)
	require.NotContains(t, page, begun.UserCode)
	require.NotContains(t, page, begun.UserCode[:4])
	require.Contains(t, page, `id="asking"`)
	require.NoError(t, w.GitHub.Approve(begun.UserCode, "mona"))
	rig.UntilFlow(t, ada, "connected")

	for range 3 { // whatever waited for her is planned by now
		page = rig.Page(t, ada)
	}
	require.Contains(t, page, `id="by-program"`)
	var connection struct {
		Login   string
		Program *string
		journey.Connection
	}
	rig.Call(t, ada, http.MethodGet, "api/connection", nil, &connection)
	require.Empty(t, connection.Deliveries)
	require.NotNil(t, connection.Program)

	// She disconnects and connects her own account; the program tries again.
	require.Equal(t, http.StatusNoContent, rig.Call(t, ada, http.MethodDelete, "api/connection", nil, nil))
	var flow answer
	require.Equal(t, http.StatusCreated, rig.Call(t, ada, http.MethodPost, "api/flows", nil, &flow))
	seen := program(http.MethodPost, "api/flows", "{}")
	require.Equal(t, flow.ID, seen.ID)
	require.Empty(t, seen.UserCode)
	require.Equal(t, "not_begun_here", program(http.MethodDelete, "api/flows/current", "").Error.Code)
	require.NoError(t, w.GitHub.Approve(flow.UserCode, "octocat"))
	rig.UntilFlow(t, ada, "connected")
	begun = program(http.MethodPost, "api/flows", "{}")
	require.NoError(t, w.GitHub.Approve(begun.UserCode, "mona"))
	require.Error(t, journey.Until(ctx, ada, "connected"))
	failed, err := journey.Current(ctx, ada)
	require.NoError(t, err)
	require.Equal(t, "other_account_connected", failed.Error.Code)
	rig.Call(t, ada, http.MethodGet, "api/connection", nil, &connection)
	require.Equal(t, "octocat", connection.Login)
	tokens := w.GitHub.Tokens()
	w.requireRevoked(t, tokens[len(tokens)-1].Token)
}
