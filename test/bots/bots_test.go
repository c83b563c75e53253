package bots_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
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

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/oidcsim"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

const actor = githubsim.DefaultSlug + "[bot]"

// work clones the shared repository, commits on a branch and pushes it.
func work(branch, file string) string {
	return `set -e
rm -rf work; git clone -q $GITHUB/octo-org/shared.git work; cd work
git checkout -q -B ` + branch + `; date +%N >` + file + `; git add .; git commit -q -m "refresh ` + file + `"
git push -q origin ` + branch + "\n"
}

// asBot wraps a job in ghscoped bot exec.
func asBot(job string) string {
	return "cat >steps <<'END'\n" + strings.ReplaceAll(job, "$GITHUB", "$GHSCOPED_GITHUB_URL") + "END\n" +
		"ghscoped bot exec --repo octo-org/shared --permission contents:write -- sh steps\n"
}

func (w *world) pushesSince(n int) []githubsim.Push { return w.GitHub.Stats().Pushes[n:] }

func TestBotExecOpensABranchAndIsNamedInTheAudit(t *testing.T) {
	w := shared
	before := len(w.GitHub.Stats().Pushes)
	w.must(t, asBot(work("nightly", "material.txt")))

	pushes := w.pushesSince(before)
	require.Len(t, pushes, 1)
	require.Equal(t, actor, pushes[0].Actor)
	author, err := w.GitHub.Git("octo-org/shared", "log", "-1", "--format=%an %ae / %cn", "nightly")
	require.NoError(t, err)
	require.Regexp(t, `^ghscoped-demo\[bot\] \d+\+ghscoped-demo\[bot\]@users\.noreply\.127\.0\.0\.1 / ghscoped-demo\[bot\]\n$`, author)
	require.Equal(t, "revoked", rig.TokenState(w.GitHub, pushes[0].TokenSHA256), "the job is over")

	trail := func(events []event) (trail []string) {
		for _, e := range events {
			if e.TokenHash == pushes[0].TokenSHA256 {
				trail = append(trail, e.Action+" "+e.Outcome+" "+e.Caller+" "+e.Rule+" "+strings.Join(e.Repositories, ","))
			}
		}
		return trail
	}
	events := w.audit(t, func(events []event) bool { return len(trail(events)) == 2 }, `"service:nbbot"`)
	require.Equal(t, []string{
		"bot_token_issue issued service:nbbot nightly octo-org/shared",
		"bot_token_revoke revoked service:nbbot nightly octo-org/shared",
	}, trail(events))
}

func TestBotExecIsRefusedOutsideItsRule(t *testing.T) {
	w := shared
	out, code := w.do(t, "ghscoped bot exec --repo octo-org/handbook --permission contents:write -- git --version\n")
	require.Equal(t, 1, code)
	require.Contains(t, out, "No rule of the bot policy allows this.")
	require.NotContains(t, out, "git version", "the command is not run")
	trail := w.audit(t, func(events []event) bool { return len(events) > 0 }, `"service:nbbot"`, "octo-org/handbook")
	require.Equal(t, "refused", trail[len(trail)-1].Outcome)
	require.Equal(t, "no rule allows this to service:nbbot", trail[len(trail)-1].Why)

	// The App is installed there too; the token that the bot does get is not for it.
	out, code = w.do(t, asBot("set -e; rm -rf other; git clone -q $GITHUB/octo-org/handbook.git other; cd other\n"+
		"git commit -q --allow-empty -m x; git push origin HEAD:refs/heads/nightly\n"))
	require.NotZero(t, code)
	require.Contains(t, out, "denied")
	_, err := w.GitHub.Git("octo-org/handbook", "rev-parse", "--verify", "refs/heads/nightly")
	require.Error(t, err)
}

func TestBotExecKeepsPushingWhenItOutlivesItsToken(t *testing.T) {
	w := shared
	before := len(w.GitHub.Stats().Pushes)
	folder := filepath.Join(w.folder, "nbbot")
	steps := work("long", "first.txt") + `printf %s "$GH_TOKEN" | sha256sum | cut -c-64 >../at-first
sleep 5; touch ../waiting; until [ -e ../goon ]; do sleep 0.1; done
` + strings.ReplaceAll("date >LATE; git add .; git commit -q -m LATE; git push -q origin long\nghscoped bot-token >../now\n", "LATE", "second.txt")
	done := make(chan struct{})
	go func() {
		defer close(done)
		out, code := w.do(t, asBot(steps))
		if code != 0 {
			t.Errorf("exit %d: %s", code, out)
		}
	}()
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(folder, "waiting"))
		return err == nil
	}, hubtest.Patience, 50*time.Millisecond)
	w.GitHub.Advance(tokenLife)
	first, err := os.ReadFile(filepath.Join(folder, "at-first"))
	require.NoError(t, err)
	require.Equal(t, "expired", rig.TokenState(w.GitHub, strings.TrimSpace(string(first))), "the job's first token is dead at GitHub")
	require.NoError(t, os.WriteFile(filepath.Join(folder, "goon"), nil, 0o600))
	<-done

	pushes := w.pushesSince(before)
	require.Len(t, pushes, 2)
	require.True(t, pushes[0].Accepted && pushes[1].Accepted)
	require.NotEqual(t, pushes[0].TokenSHA256, pushes[1].TokenSHA256)
	now, err := os.ReadFile(filepath.Join(folder, "now"))
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(now), "ghs_"), "bot-token gives the job its token of that moment")
	w.audit(t, func(issued []event) bool {
		return !slices.ContainsFunc(pushes, func(push githubsim.Push) bool {
			return !slices.ContainsFunc(issued, func(e event) bool { return e.TokenHash == push.TokenSHA256 && e.Rule == "nightly" })
		})
	}, `"service:nbbot"`, `"bot_token_issue"`)
}

func TestBotTokenOpensAPullRequestThatStartsWorkflows(t *testing.T) {
	w := shared
	require.NoError(t, w.GitHub.Commit("octo-org/shared", "tests", map[string]string{".github/workflows/ci.yaml": "on: pull_request\n"}))
	w.must(t, asBot(work("proposal", "proposal.txt")))
	var token struct {
		Token string
		Git   struct{ Name string }
	}
	out := w.must(t, "ghscoped bot-token --repo octo-org/shared --permission pull_requests:write --json\n")
	require.NoError(t, json.Unmarshal([]byte(out), &token))
	require.Equal(t, actor, token.Git.Name)

	request, err := http.NewRequest(http.MethodPost, w.GitHub.Info().APIURL+"/repos/octo-org/shared/pulls",
		strings.NewReader(`{"title":"Fresh material","head":"proposal","base":"main"}`))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+token.Token)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusCreated, response.StatusCode)
	pull := w.GitHub.Stats().Pulls[0]
	require.Equal(t, actor, pull.Actor)
	require.Equal(t, []string{".github/workflows/ci.yaml"}, pull.Workflows)
}

// TestBotTokensOfACompromisedBotReachNothingOfTheOthers holds the Hub token of docsbot.
func TestBotTokensOfACompromisedBotReachNothingOfTheOthers(t *testing.T) {
	w := shared
	for name, token := range map[string]func() string{
		"a Hub service": func() string { return w.docsToken },
		"a workflow":    func() string { return w.workflow(oidcsim.Job{}) },
	} {
		t.Run(name, func(t *testing.T) { w.reachesNothingElse(t, token) })
	}
	for name, job := range map[string]oidcsim.Job{
		"a branch": {Ref: "refs/heads/x"}, "a pull request": {EventName: "pull_request"}, "another repository": {Repository: "octo/other", RepositoryID: 3},
		"who took over the repository": {RepositoryID: 3}, "who took over the owner": {RepositoryOwnerID: 3},
	} {
		status, answer := w.call(t, w.workflow(job), http.MethodPost, "api/bot-tokens", ask("octo-org/handbook", "contents", "write"))
		require.Equal(t, http.StatusForbidden, status, "%s: %s", name, answer)
	}
}

// reachesNothingElse tries what is another's with tokens that may push to the handbook.
func (w *world) reachesNothingElse(t *testing.T, mine func() string) {
	status, own := w.call(t, mine(), http.MethodPost, "api/bot-tokens", ask("octo-org/handbook", "contents", "write"))
	require.Equal(t, http.StatusOK, status, own)
	token := w.must(t, "ghscoped bot-token --repo octo-org/shared --permission contents:write\n")
	sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
	foreign := hex.EncodeToString(sum[:])
	w.audit(t, func(issued []event) bool {
		return slices.ContainsFunc(issued, func(e event) bool { return e.TokenHash == foreign })
	}, `"service:nbbot"`, `"bot_token_issue"`)
	require.Equal(t, "live", rig.TokenState(w.GitHub, foreign))

	for name, body := range map[string]string{
		"another bot's repository":          ask("octo-org/shared", "contents", "read"),
		"another bot's repository, to push": ask("octo-org/shared", "contents", "write"),
		"another bot's pull requests":       ask("octo-org/shared", "pull_requests", "write"),
		"a group's repository":              ask("octocat/hello", "contents", "write"),
		"one of its own with another's":     `{"repositories":["octo-org/handbook","octo-org/shared"],"permissions":{"contents":"write"}}`,
		"its own, with more permissions":    ask("octo-org/handbook", "pull_requests", "write"),
		"its own, and administration":       `{"repositories":["octo-org/handbook"],"permissions":{"contents":"write","administration":"write"}}`,
		"somebody's whom no rule names":     ask("octocat/notes", "contents", "read"),
	} {
		status, answer := w.call(t, mine(), http.MethodPost, "api/bot-tokens", body)
		require.Equal(t, http.StatusForbidden, status, "%s: %s", name, answer)
		require.Contains(t, answer, `"bot_refused"`, name)
	}
	_, list := w.call(t, mine(), http.MethodGet, "api/bot-tokens", "")
	require.NotContains(t, list, foreign)
	status, _ = w.call(t, mine(), http.MethodDelete, "api/bot-tokens/"+foreign, "")
	require.Equal(t, http.StatusNotFound, status)
	require.Equal(t, "live", rig.TokenState(w.GitHub, foreign))
	for _, path := range []string{"api/credential", "api/flows", "api/deliveries"} {
		status, _ = w.call(t, mine(), http.MethodPost, path, "{}")
		require.Contains(t, []int{http.StatusForbidden, http.StatusUnauthorized}, status, path)
	}
	status, err := w.Hub.API(t.Context(), mine(), http.MethodGet, "/services/nbbot", nil, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusForbidden, status, "the Hub tells it nothing of the other bot")
}

func TestBotPolicyGroupRuleIsForItsMembersServers(t *testing.T) {
	w := shared
	for user, want := range map[string]int{"tess": http.StatusOK, "ada": http.StatusForbidden} {
		token := w.UserToken(t, user, "access:services!service=connect-github")
		status, answer := w.call(t, token, http.MethodPost, "api/bot-tokens", ask("octocat/hello", "contents", "write"))
		require.Equal(t, want, status, "%s: %s", user, answer)
	}
}

func TestBotPolicyThatIsBrokenIsSaidAndTheLastGoodOneHolds(t *testing.T) {
	w := shared
	untilReady := func(want int) { // it is looked at once a second
		t.Helper()
		require.Eventually(t, func() bool {
			status, _ := w.call(t, "", http.MethodGet, "readyz", "")
			return status == want
		}, hubtest.Patience, 100*time.Millisecond, "readyz must answer %d", want)
	}
	current := func() string {
		_, metrics := w.call(t, w.metricsToken, http.MethodGet, "metrics", "")
		for line := range strings.Lines(metrics) {
			if value, found := strings.CutPrefix(line, "ghscoped_bot_policy_current "); found {
				return strings.TrimSpace(value)
			}
		}
		return "none"
	}
	untilReady(http.StatusOK)
	require.Equal(t, "1", current())
	t.Cleanup(func() { require.NoError(t, os.WriteFile(w.policy, []byte(policyText), 0o600)) })
	require.NoError(t, os.WriteFile(w.policy, []byte(policyText+"  - name: nightly\n"), 0o600))
	untilReady(http.StatusServiceUnavailable)
	require.Equal(t, "0", current())
	status, answer := w.call(t, w.docsToken, http.MethodPost, "api/bot-tokens", ask("octo-org/handbook", "contents", "write"))
	require.Equal(t, http.StatusOK, status, answer)

	require.NoError(t, os.WriteFile(w.policy, []byte("version: 1\nrules: []\n"), 0o600))
	untilReady(http.StatusOK)
	status, _ = w.call(t, w.docsToken, http.MethodPost, "api/bot-tokens", ask("octo-org/handbook", "contents", "write"))
	require.Equal(t, http.StatusForbidden, status, "the new policy is in force without a restart")
}

// TestBotKeyAndTokensAreNowhere comes last: it looks at what all the others
// have left behind.
func TestBotKeyAndTokensAreNowhere(t *testing.T) {
	w := shared
	markers := map[string]string{"docsbot's Hub token": w.docsToken, "the service's Hub token": w.Hub.ServiceToken}
	key, err := os.ReadFile(filepath.Join(w.folder, "app.pem"))
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(key)), "\n")
	for i, line := range lines[1 : len(lines)-1] {
		markers[fmt.Sprint("line ", i, " of the key")] = line
	}
	for i, token := range w.GitHub.Tokens() {
		markers[fmt.Sprint("token ", i)] = token.Token
	}
	sealing, err := os.ReadFile(w.Store + ".key")
	require.NoError(t, err)
	for line := range strings.Lines(string(sealing)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			markers["the sealing key"] = line
		}
	}
	require.Contains(t, markers, "the sealing key")
	require.Greater(t, len(markers), 30)

	_, metrics := w.call(t, w.metricsToken, http.MethodGet, "metrics", "")
	require.Contains(t, metrics, `ghscoped_bot_tokens_issued_total{status="issued"}`)
	places := map[string][]byte{"the log and the audit": w.Service.Log.Bytes(), "the metrics": []byte(metrics), "the Hub's log": w.Hub.Log.Bytes()}
	for _, path := range []string{"api/bot-tokens", "api/connection", "api/openapi.yaml", "metrics", "readyz", "healthz", "static/none"} {
		_, answer := w.call(t, w.docsToken, http.MethodGet, path, "")
		places["the answer of "+path] = []byte(answer)
	}
	content, err := os.ReadFile(w.Store)
	require.NoError(t, err)
	places["the store"] = content
	for place, content := range places {
		for name, marker := range markers {
			require.False(t, bytes.Contains(content, []byte(marker)), "%s holds %s", place, name)
		}
	}
	for _, word := range []string{"nbbot", "docsbot", "octo-org", "nightly"} {
		require.NotContains(t, metrics, word, "no caller, repository or rule is a label")
	}
	require.Contains(t, string(w.Service.Log.Bytes()), "bot tokens are enabled", "the key was tried at the start")
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", w.Service.PID()))
	require.NoError(t, err)
	require.Regexp(t, `(?m)^Max core file size +0 +0 +bytes`, string(limits))
}

func TestBotCommandsAreInTheReference(t *testing.T) {
	reference, err := os.ReadFile("../../docs/ghscoped.md")
	require.NoError(t, err)
	for _, command := range []string{"bot-token", "bot exec"} {
		help := shared.must(t, "ghscoped "+command+" --help\n")
		require.Contains(t, string(reference), "```text\n"+help+"```", command)
	}
}
