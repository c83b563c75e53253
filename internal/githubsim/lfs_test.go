package githubsim_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
)

// lfs makes one request as git-lfs does; auth is a whole Authorization header.
func lfs(t *testing.T, method, address, auth, body string) answer {
	t.Helper()
	r, err := http.NewRequest(method, address, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Accept", "application/vnd.git-lfs+json")
	if auth != "" {
		r.Header.Set("Authorization", auth)
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	a := answer{status: res.StatusCode, header: res.Header, raw: string(raw)}
	_ = json.Unmarshal(raw, &a.body) // an object's bytes are not JSON
	return a
}

func basic(token string) string {
	if token == "" {
		return ""
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte("x-access-token:"+token))
}

func oid(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

func batch(t *testing.T, sim *githubsim.Server, repo, operation, token, content string) answer {
	t.Helper()
	body, err := json.Marshal(map[string]any{"operation": operation, "objects": []map[string]any{{"oid": oid(content), "size": len(content)}}})
	require.NoError(t, err)
	return lfs(t, "POST", sim.URL()+"/"+repo+"/info/lfs/objects/batch", basic(token), string(body))
}

func TestLFSWhoMayMoveLargeFiles(t *testing.T) {
	t.Parallel()
	sim := start(t)
	_, err := sim.Install("octocat", "hello")
	require.NoError(t, err)
	octocat, mona := userToken(t, sim, "octocat").str("access_token"), userToken(t, sim, "mona").str("access_token")
	for _, tc := range []struct {
		name, repo, token string
		download, upload  int
	}{
		{"chosen repository", "octocat/hello.git", octocat, 200, 200},
		{"public repository that was not chosen", "octocat/other.git", octocat, 200, 403},
		{"private repository that was not chosen", "octocat/notes.git", octocat, 404, 404},
		{"somebody else's", "octocat/hello.git", mona, 200, 403},
		{"nobody", "octocat/hello.git", "", 200, 401},
		{"nobody, private", "octocat/notes.git", "", 401, 401},
		{"a token that is none", "octocat/hello.git", "ghu_nonsense", 401, 401},
		{"an address that is not git's", "octocat/hello", octocat, 404, 404},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, tc.download, batch(t, sim, tc.repo, "download", tc.token, "big").status)
			upload := batch(t, sim, tc.repo, "upload", tc.token, "big")
			require.Equal(t, tc.upload, upload.status)
			require.Equal(t, tc.upload, lfs(t, "POST", sim.URL()+"/"+tc.repo+"/info/lfs/locks/verify", basic(tc.token), "{}").status)
			if tc.upload == 401 {
				require.Equal(t, `Basic realm="GitHub"`, upload.header.Get("LFS-Authenticate"))
				require.Equal(t, `Basic realm="GitHub"`, upload.header.Get("WWW-Authenticate"))
			}
		})
	}
}

// action is where a batch's answer sends its only object, and with what.
func action(t *testing.T, a answer, name string) (address, auth string) {
	t.Helper()
	require.Equal(t, 200, a.status, a.raw)
	actions, _ := a.body["objects"].([]any)[0].(map[string]any)["actions"].(map[string]any)
	require.Contains(t, actions, name, a.raw)
	found := actions[name].(map[string]any)
	if header, ok := found["header"].(map[string]any); ok {
		auth = header["Authorization"].(string)
	}
	return found["href"].(string), auth
}

func TestLFSKeepsLargeFilesByTheirName(t *testing.T) {
	t.Parallel()
	sim := start(t)
	_, err := sim.Install("octocat")
	require.NoError(t, err)
	token := userToken(t, sim, "octocat").str("access_token")
	const repo, content = "octocat/notes.git", "the bytes"
	about := `{"oid":"` + oid(content) + `","size":9}`
	asked := batch(t, sim, repo, "upload", token, content)
	upload, permit := action(t, asked, "upload")
	verify, verifyPermit := action(t, asked, "verify")

	require.Equal(t, 400, lfs(t, "PUT", upload, basic(token), content).status, "GitHub's token is not for the storage")
	require.Equal(t, 403, lfs(t, "PUT", upload, "", content).status)
	require.Equal(t, 403, lfs(t, "PUT", upload, verifyPermit, content).status, "a permit is for one thing")
	require.Equal(t, 400, lfs(t, "PUT", upload, permit, "other bits").status)
	require.Equal(t, 404, lfs(t, "POST", verify, verifyPermit, about).status, "it was not uploaded")
	require.Equal(t, 200, lfs(t, "PUT", upload, permit, content).status)
	require.Contains(t, batch(t, sim, repo, "download", token, content).raw, "Object does not exist on the server", "it was not verified")
	require.Equal(t, 200, lfs(t, "POST", verify, verifyPermit, about).status)
	require.NotContains(t, batch(t, sim, repo, "upload", token, content).raw, "actions", "it is there")
	require.Contains(t, batch(t, sim, "octocat/hello.git", "download", token, content).raw, "Object does not exist on the server", "another repository's")

	download, none := action(t, batch(t, sim, repo, "download", token, content), "download")
	require.Empty(t, none)
	require.Equal(t, content, lfs(t, "GET", download, "", "").raw)
	require.Equal(t, 400, lfs(t, "GET", download, basic(token), "").status)
	sim.Advance(15 * time.Minute)
	require.Equal(t, 403, lfs(t, "GET", download, "", "").status, "links do not last")
}

func TestGitLFSPushesAndFetches(t *testing.T) {
	t.Parallel()
	sim := start(t)
	_, err := sim.Install("octocat")
	require.NoError(t, err)
	token := userToken(t, sim, "octocat").str("access_token")
	dir := filepath.Join(t.TempDir(), "r")
	filters := []string{"-c", "filter.lfs.clean=git-lfs clean -- %f", "-c", "filter.lfs.smudge=git-lfs smudge -- %f", "-c", "filter.lfs.required=true"}
	run := func(dir string, args ...string) {
		t.Helper()
		out, err := git(t, dir, token, append(filters, args...)...)
		require.NoError(t, err, out)
	}
	run(t.TempDir(), "clone", "-q", sim.URL()+"/octocat/notes.git", dir)
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "big.bin"), content, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".gitattributes"), []byte("*.bin filter=lfs diff=lfs merge=lfs -text\n"), 0o600))
	run(dir, "add", "-A")
	run(dir, "commit", "-q", "-m", "large")
	run(dir, "lfs", "push", "origin", "main")
	run(dir, "push", "-q", "origin", "main")

	pointer, err := sim.Git("octocat/notes", "show", "main:big.bin")
	require.NoError(t, err)
	require.Contains(t, pointer, "oid sha256:"+oid(string(content)))
	again := filepath.Join(t.TempDir(), "again")
	run(t.TempDir(), "clone", "-q", sim.URL()+"/octocat/notes.git", again)
	got, err := os.ReadFile(filepath.Join(again, "big.bin"))
	require.NoError(t, err)
	require.True(t, bytes.Equal(content, got), "the bytes that were pushed")
}
