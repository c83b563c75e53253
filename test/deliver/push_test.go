package deliver_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/deliver"
	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// A user whose own git configuration keeps every credential in a file must not
// find ours there. Options and a push are tried in the same server's terminal.
func TestPushLeavesNoCopyOfTheToken(t *testing.T) {
	sim := rig.NewGitHub(t, githubsim.Options{})
	_, err := sim.Install("octocat", "hello")
	require.NoError(t, err)
	live := approved(t, sim)
	address, err := url.Parse(sim.URL())
	require.NoError(t, err)

	home := t.TempDir()
	const mine = "[credential]\n\thelper = store\n"
	require.NoError(t, os.WriteFile(home+"/.gitconfig", []byte(mine), 0o600))
	s := start(t, hubtest.JupyterOptions{Home: home})
	d := newDeliverer(t, deliver.Options{Host: address, GitIdentity: true, RewriteSSH: true})
	c := gitCredential(sim.URL(), live)
	c.Account.ID, c.Account.Login, c.Account.Name = 1, "octocat", "Octo Cat"
	_, err = d.Deliver(t.Context(), s.target, c)
	require.NoError(t, err)

	terminal, err := hubtest.OpenTerminal(t.Context(), s.URL, s.Token)
	require.NoError(t, err)
	output, status, err := terminal.Run(t.Context(), "export GIT_TERMINAL_PROMPT=0; git clone git@127.0.0.1:octocat/hello.git && cd hello && "+
		"echo more >>README.md && git commit -qam 'More' && git push -q && git log -1 --format='%an <%ae>'")
	require.NoError(t, err)
	require.Zero(t, status, output)
	require.Contains(t, output, "Octo Cat <1+octocat@users.noreply.127.0.0.1>")
	require.NoError(t, terminal.Close(t.Context()))

	pushes := sim.Stats().Pushes
	require.Len(t, pushes, 1)
	require.True(t, pushes[0].Accepted)
	require.NoFileExists(t, home+"/.git-credentials")
	require.Equal(t, []string{".config/ghscoped/" + deliver.Folder(address) + "/credential"}, holding(t, home, live))

	_, err = d.Remove(t.Context(), s.target)
	require.NoError(t, err)
	require.Empty(t, holding(t, home, live))
	content, err := os.ReadFile(home + "/.gitconfig")
	require.NoError(t, err)
	require.Equal(t, mine, string(content))
}

// approved is a token that octocat has granted.
func approved(t *testing.T, sim *githubsim.Server) string {
	t.Helper()
	ask := func(path string, form url.Values) map[string]any {
		form.Set("client_id", githubsim.DefaultClientID)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, sim.URL()+path, strings.NewReader(form.Encode()))
		require.NoError(t, err)
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("Accept", "application/json")
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		defer response.Body.Close()
		answer := map[string]any{}
		require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
		return answer
	}
	code := ask("/login/device/code", url.Values{})
	require.NoError(t, sim.Approve(code["user_code"].(string), "octocat"))
	answer := ask("/login/oauth/access_token", url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {code["device_code"].(string)},
	})
	return answer["access_token"].(string)
}

// holding are the files below a folder in which text is found.
func holding(t *testing.T, folder, text string) []string {
	t.Helper()
	var found []string
	require.NoError(t, filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(content), text) {
			found = append(found, strings.TrimPrefix(path, folder+"/"))
		}
		return err
	}))
	return found
}
