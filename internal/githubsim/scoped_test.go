package githubsim_test

import (
	"encoding/base64"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
)

type ask = map[string]any

// scopedWorld has the App on two of octocat's repositories and on octo-org.
func scopedWorld(t *testing.T) (sim *githubsim.Server, wide string, scope func(body any) answer) {
	t.Helper()
	sim = start(t, withSecret)
	_, err := sim.Install("octocat", "octocat/hello", "octocat/notes")
	require.NoError(t, err)
	_, err = sim.Install("octo-org")
	require.NoError(t, err)
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(githubsim.DefaultClientID+":"+secret))
	return sim, userToken(t, sim, "octocat").str("access_token"), func(body any) answer {
		return send(t, "POST", sim.APIURL()+"/applications/"+githubsim.DefaultClientID+"/token/scoped", basic, body)
	}
}

func TestScopedTokenIsForWhatItWasMadeFor(t *testing.T) {
	t.Parallel()
	sim, wide, scope := scopedWorld(t)
	a := scope(ask{"access_token": wide, "target": "OctoCat", "repositories": []string{"Notes"}})
	require.Equal(t, 200, a.status, a.raw)
	narrow := a.str("token")
	require.Equal(t, sim.Now().Add(8*time.Hour).UTC().Format(time.RFC3339), a.str("expires_at"), "as the wide one's")
	require.Equal(t, "octocat", a.body["user"].(map[string]any)["login"])

	for _, tc := range []struct {
		repo         string
		narrow, wide int
	}{
		{"octocat/notes", 200, 200},
		{"octocat/hello", 403, 200},
		{"octo-org/shared", 404, 200}, // private
	} {
		require.Equal(t, tc.narrow, pushCheck(t, sim, tc.repo, narrow), tc.repo)
		require.Equal(t, tc.wide, pushCheck(t, sim, tc.repo, wide), tc.repo)
	}
	_, err := git(t, t.TempDir(), narrow, "clone", "-q", sim.URL()+"/octo-org/shared")
	require.Error(t, err, "nor may it be read")

	reads := scope(ask{"access_token": wide, "target": "octocat", "repositories": []string{"notes"}, "permissions": ask{"contents": "read"}})
	require.NotEqual(t, 200, pushCheck(t, sim, "octocat/notes", reads.str("token")))
}

func TestScopedTokenThatIsNotGiven(t *testing.T) {
	t.Parallel()
	sim, wide, scope := scopedWorld(t)
	hello := int64(send(t, "GET", sim.APIURL()+"/repos/octocat/hello", "Bearer "+wide, nil).body["id"].(float64))
	narrow := scope(ask{"access_token": wide, "target": "octocat", "repository_ids": []int64{hello}}).str("token")
	require.Equal(t, 200, pushCheck(t, sim, "octocat/hello", narrow))
	foreign := userToken(t, sim, "mona").str("access_token")
	for _, tc := range []struct {
		name   string
		body   ask
		status int
	}{
		{"no account", ask{"access_token": wide, "repositories": []string{"hello"}}, 422},
		{"an account that is not there", ask{"access_token": wide, "target": "nobody", "repositories": []string{"hello"}}, 404},
		{"an account without the App", ask{"access_token": wide, "target": "mona", "repositories": []string{"hello"}}, 422},
		{"a repository that was not chosen", ask{"access_token": wide, "target": "octocat", "repositories": []string{"other"}}, 422},
		{"a repository of another account", ask{"access_token": wide, "target": "octocat", "repositories": []string{"hello", "octo-org/shared"}}, 422},
		{"a repository of another account by its number", ask{"access_token": wide, "target": "octo-org", "repository_ids": []int64{hello}}, 422},
		{"a repository that its person does not reach", ask{"access_token": foreign, "target": "octocat", "repositories": []string{"notes"}}, 422},
		{"names and numbers", ask{"access_token": wide, "target": "octocat", "repositories": []string{"hello"}, "repository_ids": []int64{hello}}, 422},
		{"more than the App may", ask{"access_token": wide, "target": "octocat", "repositories": []string{"hello"}, "permissions": ask{"administration": "write"}}, 422},
		{"of a token that is narrow already", ask{"access_token": narrow, "target": "octocat", "repositories": []string{"hello"}}, 422},
		{"of a token that GitHub does not know", ask{"access_token": "ghu_x", "target": "octocat", "repositories": []string{"hello"}}, 404},
		{"of no token", ask{"target": "octocat", "repositories": []string{"hello"}}, 422},
	} {
		require.Equal(t, tc.status, scope(tc.body).status, tc.name)
	}
	bad := "Basic " + base64.StdEncoding.EncodeToString([]byte(githubsim.DefaultClientID+":no"))
	body := ask{"access_token": wide, "target": "octocat", "repositories": []string{"hello"}}
	address := sim.APIURL() + "/applications/" + githubsim.DefaultClientID
	require.Equal(t, 404, send(t, "POST", address+"/token/scoped", bad, body).status)

	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(githubsim.DefaultClientID+":"+secret))
	require.Equal(t, 204, send(t, "DELETE", address+"/token", basic, ask{"access_token": wide}).status)
	require.Equal(t, 404, scope(body).status, "the wide one is dead")
	require.Equal(t, 200, pushCheck(t, sim, "octocat/hello", narrow), "the narrow one is not")
	require.Equal(t, 202, send(t, "POST", sim.APIURL()+"/credentials/revoke", "", ask{"credentials": []string{narrow}}).status)
	require.Equal(t, 401, pushCheck(t, sim, "octocat/hello", narrow))
}

func TestScopedTokenOfARepositoryThatIsNotReached(t *testing.T) {
	t.Parallel()
	sim, wide, _ := scopedWorld(t)
	number := func(repo string) string {
		return strconv.FormatInt(int64(send(t, "GET", sim.APIURL()+"/repos/"+repo, "Bearer "+wide, nil).body["id"].(float64)), 10)
	}
	narrow := userToken(t, sim, "octocat", "repository_id", number("octocat/hello")).str("access_token")
	require.Equal(t, 404, pushCheck(t, sim, "octocat/notes", narrow))
	for _, repo := range []string{number("octocat/other"), "1", "x"} { // not chosen, not there, no number
		ignored := userToken(t, sim, "octocat", "repository_id", repo).str("access_token")
		require.Equal(t, 200, pushCheck(t, sim, "octocat/notes", ignored), repo)
	}
}
