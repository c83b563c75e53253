package bot_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/bot"
)

func TestPolicyRulesDescribesEveryRuleInOrder(t *testing.T) {
	t.Parallel()
	policy, err := bot.ParsePolicy([]byte(`version: 1
rules:
  - name: mirrors
    reason: They read.
    callers: ["service:mirror-*", kubernetes:mirror/fetch]
    repositories: [Octo-Org/*, zeta/one]
    except: [octo-org/Exams]
    permissions: {contents: read}
    reuse: 30m
  - name: bump
    reason: It writes.
    callers: [actions:Octo-Org/Deploy]
    where: {repository_owner_id: "2", repository_id: "1", ref: [refs/heads/main, refs/heads/dev]}
    repositories: [octo-org/deploy]
    permissions: {pull_requests: write, contents: write}
`))
	require.NoError(t, err)
	want := []bot.RuleDescription{
		{Name: "mirrors", Reason: "They read.", Line: 3, Callers: []string{"service:mirror-*", "kubernetes:mirror/fetch"},
			Repositories: []string{"octo-org/*", "zeta/one"}, Except: []string{"octo-org/exams"}, Permissions: []string{"contents:read"}, Reuse: 30 * time.Minute},
		{Name: "bump", Reason: "It writes.", Line: 10, Callers: []string{"actions:octo-org/deploy"},
			Where:        []bot.Condition{{Claim: "ref", Texts: []string{"refs/heads/main", "refs/heads/dev"}}, {Claim: "repository_id", Texts: []string{"1"}}, {Claim: "repository_owner_id", Texts: []string{"2"}}},
			Repositories: []string{"octo-org/deploy"}, Permissions: []string{"contents:write", "pull_requests:write"}},
	}
	require.Equal(t, want, policy.Rules())

	changed := policy.Rules()
	changed[1].Where[0].Texts[0], changed[0].Callers[0], changed[0].Repositories[0] = "*", "service:*", "*/*"
	require.Equal(t, want, policy.Rules(), "what is changed there changes no policy")
	require.Empty(t, (&bot.Policy{}).Rules())
}

func TestNameOfIsWithoutWhatTellsWorkloadsApart(t *testing.T) {
	t.Parallel()
	for caller, want := range map[string]struct {
		name   string
		person bool
	}{
		"service:nbbot":                          {"service:nbbot", false},
		"service:a#b":                            {"service:a#b", false},
		"user:ada":                               {"user:ada", true},
		"actions:octo/deploy#77":                 {"actions:octo/deploy", false},
		"kubernetes:mirror/fetch":                {"kubernetes:mirror/fetch", false},
		"oidc:https://gitlab.example.org#user#1": {"oidc:https://gitlab.example.org", false},
		"unidentified":                           {"unidentified", false},
	} {
		name, person := bot.NameOf(caller)
		require.Equal(t, want.name, name, caller)
		require.Equal(t, want.person, person, caller)
	}
}
