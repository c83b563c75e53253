package attack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/hubtest/journey"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// greedy is a configuration of ada's server "joint", as whoever may run code in it
// can make it: with each token that the server is shown, it asks the Hub whose it
// is and tries ada's other server, at once, while the token lives.
const greedy = `
import os
if os.environ.get("JUPYTERHUB_SERVER_NAME") == "joint":
    import json, tornado.web, urllib.error, urllib.request

    def call(address, shown):
        request = urllib.request.Request(address, headers={"Authorization": shown})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read().decode(errors="replace")
        except urllib.error.HTTPError as error:
            return error.code, ""

    known = set()
    begin = tornado.web.RequestHandler.__init__
    def look(self, application, request, **more):
        shown = request.headers.get("Authorization")
        if shown and shown not in known:
            known.add(shown)
            _, user = call(os.environ["JUPYTERHUB_API_URL"] + "/user", shown)
            status, _ = call(%q, shown)
            with open(%q, "a") as f:
                f.write(json.dumps({"token": shown.removeprefix("token "), "user": json.loads(user or "{}"), "other": status}) + "\n")
        begin(self, application, request, **more)
    tornado.web.RequestHandler.__init__ = look
`

// catch is a token that the joint server was shown, and what it was good for then.
type catch struct {
	Token string
	User  struct {
		Name   string
		Scopes []string
	}
	Other int // status of ada's other server
}

// shared is a Hub where ada has a server of her own, and "joint", in which others
// may run code.
type shared struct {
	*world
	ada    *hubtest.Visitor
	other  string // the API of ada's own server
	caught string // the file of the tokens that the joint server was shown
}

func newShared(t *testing.T, o hubtest.Options) *shared {
	t.Helper()
	s := &shared{world: newWorld(t, o), caught: filepath.Join(t.TempDir(), "caught")}
	s.other = s.StartServer(t, "ada", "") + "api/contents"

	folder := filepath.Join(s.Hub.Home("ada"), ".jupyter")
	require.NoError(t, os.MkdirAll(folder, 0o755))
	for _, name := range []string{"jupyter_server_config.py", "jupyter_notebook_config.py"} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), fmt.Appendf(nil, greedy, s.other, s.caught), 0o644))
	}
	s.StartServer(t, "ada", "joint")
	s.ada = s.Visit(t, "ada")
	return s
}

// catches takes what the joint server has caught since the last call.
func (s *shared) catches(t *testing.T) []catch {
	t.Helper()
	content, err := os.ReadFile(s.caught)
	require.NoError(t, err, "the server was shown nothing")
	require.NoError(t, os.Remove(s.caught))
	var caught []catch
	for line := range strings.Lines(string(content)) {
		var c catch
		require.NoError(t, json.Unmarshal([]byte(line), &c))
		if !slices.ContainsFunc(caught, func(known catch) bool { return known.Token == c.Token }) {
			caught = append(caught, c) // Jupyter may read a configuration twice
		}
	}
	return caught
}

// requireHarmless checks that what the joint server was shown, while it was good
// for anything, opened that server alone, and is dead by now.
func (s *shared) requireHarmless(t *testing.T) {
	t.Helper()
	ctx := hubtest.Context(t)
	caught := s.catches(t)
	require.Len(t, caught, 1)
	c := caught[0]
	require.Contains(t, []int{http.StatusForbidden, http.StatusFound}, c.Other, "it opened another server")
	require.Equal(t, "ada", c.User.Name)
	require.Equal(t, []string{"access:servers!server=ada/joint", "read:users:groups!user=ada", "read:users:name!user=ada"}, c.User.Scopes)
	require.Equal(t, http.StatusForbidden, get(ctx, t, s.Hub.APIURL+"/user", c.Token), "it is alive")
	require.Equal(t, http.StatusForbidden, get(ctx, t, s.other, c.Token))
}

// requireAudited waits until the audit says that something was done in the joint
// server, and how.
func (s *shared) requireAudited(t *testing.T, action, method string) {
	t.Helper()
	var event struct{ Server, Method, Outcome string }
	require.Eventually(t, func() bool {
		for line := range bytes.Lines(s.Hub.Log.Bytes()) {
			if bytes.Contains(line, []byte(`"action":"`+action+`"`)) && json.Unmarshal(line, &event) == nil {
				return true
			}
		}
		return false
	}, hubtest.Patience, 50*time.Millisecond)
	require.Equal(t, "joint "+method+" ok", event.Server+" "+event.Method+" "+event.Outcome)
}

// get is the status of an address for a token that was caught.
func get(ctx context.Context, t *testing.T, address, token string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "token "+token)
	response, err := http.DefaultTransport.RoundTrip(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}

// What a delivery or a removal shows a server opens that server alone and is dead
// afterwards, so that others who may run code in it reach no other server.
func TestServerTokenOpensOneServerAndDies(t *testing.T) {
	for name, o := range map[string]hubtest.Options{
		"JupyterHub 4, kernel":   {Version: "hub4"},
		"JupyterHub 5, terminal": {Version: "hub5"},
		"JupyterHub 6, kernel":   {Version: "hub6", Extra: "c.Spawner.args = [*c.Spawner.args, '--ServerApp.terminals_enabled=False']\n"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShared(t, o)
			method := name[strings.Index(name, ", ")+2:]

			var flow journey.Flow
			require.Equal(t, http.StatusCreated, rig.Call(t, s.ada, http.MethodPost, "api/flows", map[string]any{"servers": []string{"joint"}}, &flow))
			require.NoError(t, s.GitHub.Approve(flow.UserCode, "octocat"))
			rig.UntilFlow(t, s.ada, "connected")
			s.requireAudited(t, "delivered", method)
			s.requireHarmless(t)

			require.Equal(t, http.StatusNoContent, rig.Call(t, s.ada, http.MethodDelete, "api/connection", nil, nil))
			s.requireAudited(t, "removed", method)
			s.requireHarmless(t)
		})
	}
}
