package bot

import (
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const goodWorkloads = `version: 1
rules:
  - name: bump-images
    reason: The deployment's workflow opens pull requests with new images.
    callers: [actions:octo/deploy]
    where:
      repository_owner_id: "583231"
      repository_id: "1296269"
      ref: refs/heads/main
      environment: [production, staging]
      workflow_ref: octo/deploy/.github/workflows/bump.yml@*
      event_name: [schedule, workflow_dispatch]
    repositories: [octo/deploy]
    permissions: {contents: write, pull_requests: write}
  - name: checks
    reason: A pull request's own workflow labels it.
    callers: ["actions:octo/*"]
    where: {repository_owner_id: "583231", event_name: [pull_request]}
    repositories: [octo/deploy]
    permissions: {issues: write}
  - name: mirror
    reason: The cluster's mirror reads.
    callers: ["kubernetes:mirror/*"]
    repositories: [octo/deploy]
    permissions: {contents: read}
  - name: gitlab
    reason: One project of our GitLab.
    callers: ["oidc:https://gitlab.example.org"]
    where: {sub: "project_path:octo/site:*"}
    repositories: [octo/site]
    permissions: {contents: write}
`

// deploy is a run of the workflow that goodWorkloads has, with some claims others;
// one that is empty is not there.
func deploy(other map[string]string) Caller {
	claims := map[string]string{
		"repository": "octo/deploy", "repository_id": "1296269", "repository_owner_id": "583231", "ref": "refs/heads/main",
		"environment": "production", "workflow_ref": "octo/deploy/.github/workflows/bump.yml@refs/heads/main", "event_name": "schedule",
	}
	maps.Copy(claims, other)
	maps.DeleteFunc(claims, func(_, value string) bool { return value == "" })
	if len(other) == 0 && other != nil { // no claims at all
		claims = nil
	}
	return Caller{Kind: Actions, Name: "octo/deploy", Claims: claims, Part: "77"}
}

func TestPolicyDecidesForWorkloads(t *testing.T) {
	t.Parallel()
	p := parse(t, goodWorkloads)
	require.Empty(t, p.Doubts)
	contents, issues, read := map[string]string{"contents": "write"}, map[string]string{"issues": "write"}, map[string]string{"contents": "read"}
	elsewhere := deploy(nil)
	elsewhere.Name = "octo/other"
	capitals := deploy(nil)
	capitals.Name = "Octo/Deploy"
	asService := deploy(nil)
	asService.Kind = Service
	asOther := deploy(nil)
	asOther.Kind = OIDC
	const gitlab = "https://gitlab.example.org"
	for name, tc := range map[string]struct {
		caller      Caller
		repository  string
		permissions map[string]string
		want        string // the rule, or why not
	}{
		"all as it must be":                {deploy(nil), "octo/deploy", contents, "bump-images"},
		"another of two environments":      {deploy(map[string]string{"environment": "staging"}), "octo/deploy", contents, "bump-images"},
		"the name in other letters":        {capitals, "octo/deploy", contents, "bump-images"},
		"a branch":                         {deploy(map[string]string{"ref": "refs/heads/x"}), "octo/deploy", contents, `ref is "refs/heads/x", not "refs/heads/main"`},
		"a tag of that name":               {deploy(map[string]string{"ref": "refs/tags/main"}), "octo/deploy", contents, `ref is "refs/tags/main"`},
		"another environment":              {deploy(map[string]string{"environment": "prod"}), "octo/deploy", contents, `environment is "prod", not "production" or "staging"`},
		"no environment":                   {deploy(map[string]string{"environment": ""}), "octo/deploy", contents, "the token has no environment"},
		"another workflow":                 {deploy(map[string]string{"workflow_ref": "octo/deploy/.github/workflows/x.yml@refs/heads/main"}), "octo/deploy", contents, "workflow_ref is"},
		"who took over the repository":     {deploy(map[string]string{"repository_id": "9"}), "octo/deploy", contents, `repository_id is "9"`},
		"who took over the owner":          {deploy(map[string]string{"repository_owner_id": "9"}), "octo/deploy", contents, `repository_owner_id is "9"`},
		"another event":                    {deploy(map[string]string{"event_name": "issue_comment"}), "octo/deploy", contents, `event_name is "issue_comment"`},
		"another repository":               {elsewhere, "octo/deploy", contents, "no rule allows this to actions:octo/other"},
		"no claims":                        {Caller{Kind: Actions, Name: "octo/deploy"}, "octo/deploy", contents, "the token has no environment"},
		"a Hub's service of that name":     {asService, "octo/deploy", contents, "no rule allows this"},
		"another issuer's":                 {asOther, "octo/deploy", contents, "no rule allows this"},
		"a pull request where it is named": {deploy(map[string]string{"event_name": "pull_request"}), "octo/deploy", issues, "checks"},
		"a pull request where it is not":   {deploy(map[string]string{"event_name": "pull_request"}), "octo/deploy", contents, "it does not name the event pull_request, which a fork can start"},
		"another event of a pull request":  {deploy(map[string]string{"event_name": "pull_request_target"}), "octo/deploy", issues, "it does not name the event pull_request_target"},
		"a service account":                {Caller{Kind: Kubernetes, Name: "mirror/eu"}, "octo/deploy", read, "mirror"},
		"of another namespace":             {Caller{Kind: Kubernetes, Name: "mirror-x/eu"}, "octo/deploy", read, "no rule allows this to kubernetes:mirror-x/eu"},
		"a user with an account's name":    {Caller{Kind: User, Name: "mirror/eu"}, "octo/deploy", read, "no rule allows this"},
		"another issuer's subject":         {Caller{Kind: OIDC, Name: gitlab, Claims: map[string]string{"sub": "project_path:octo/site:ref:x"}}, "octo/site", contents, "gitlab"},
		"another subject":                  {Caller{Kind: OIDC, Name: gitlab, Claims: map[string]string{"sub": "project_path:octo/site2:ref"}}, "octo/site", contents, "sub is"},
		"an issuer below it":               {Caller{Kind: OIDC, Name: gitlab + "/x", Claims: map[string]string{"sub": "project_path:octo/site:x"}}, "octo/site", contents, "no rule allows this"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := p.Explain(tc.caller, Request{Repositories: []string{tc.repository}, Permissions: tc.permissions})
			require.Equal(t, strings.ContainsRune(tc.want, ' '), !got.Allowed, got.Why)
			if got.Allowed {
				require.Equal(t, tc.want, got.Rule)
				return
			}
			require.Contains(t, got.Why, tc.want)
		})
	}
}

// A star is no name: a fork's pull request would match it.
func TestPolicyNamesTheEventsOfAPullRequest(t *testing.T) {
	t.Parallel()
	for events, allowed := range map[string]bool{`"*"`: false, `"pull_*"`: false, "pull_request": true, "[push, pull_request]": true} {
		p := parse(t, ruleWith("callers", "[actions:o/r]")+"    where: {repository_id: '1', repository_owner_id: '2', event_name: "+events+"}\n")
		caller := Caller{Kind: Actions, Name: "o/r", Claims: map[string]string{"repository_id": "1", "repository_owner_id": "2", "event_name": "pull_request"}}
		require.Equal(t, allowed, p.Explain(caller, Request{Repositories: []string{"o/r"}, Permissions: map[string]string{"contents": "read"}}).Allowed, events)
	}
}

func TestParsePolicyDemandsTheNumbersOfRepositories(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ callers, where, want string }{
		"both":                         {"[actions:o/r]", "{repository_owner_id: '2', repository_id: '1'}", ""},
		"an owner's for all of it":     {"['actions:o/*']", "{repository_owner_id: '2'}", ""},
		"two of two":                   {"[actions:o/r, actions:o/s]", "{repository_owner_id: '2', repository_id: ['1', '3']}", ""},
		"one of two":                   {"[actions:o/r, actions:o/s]", "{repository_owner_id: '2', repository_id: '1'}", "where lacks repository_id, GitHub's number of each: whoever takes over the name would be allowed as well (gh api repos/o/r repos/o/s --jq .id)"},
		"none of a repository":         {"[actions:o/r]", "{repository_owner_id: '2'}", "where lacks repository_id"},
		"none of its owner":            {"[actions:o/r]", "{repository_id: '1'}", "where lacks repository_owner_id"},
		"one of two owners":            {"['actions:o/*', 'actions:p/*']", "{repository_owner_id: '2'}", "gh api users/o users/p --jq .id"},
		"any number":                   {"[actions:o/r]", "{repository_owner_id: '2', repository_id: '*'}", "where lacks repository_id"},
		"a number that begins so":      {"[actions:o/r]", "{repository_owner_id: '2*', repository_id: '1'}", "where lacks repository_owner_id"},
		"the owner's name for it":      {"[actions:o/r]", "{repository_owner_id: o, repository_id: '1'}", "where lacks repository_owner_id"},
		"other letters, the same name": {"[actions:o/r, actions:O/R]", "{repository_owner_id: '2', repository_id: '1'}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ParsePolicy([]byte(ruleWith("callers", tc.callers) + "    where: " + tc.where + "\n"))
			_, fileErr := ParseRepositoryFile([]byte("version: 1\nallow:\n  - callers: " + tc.callers + "\n    where: " + tc.where + "\n    permissions: {contents: read}\n"))
			if tc.want == "" {
				require.NoError(t, err)
				require.NoError(t, fileErr)
				return
			}
			require.ErrorContains(t, err, tc.want)
			require.ErrorContains(t, fileErr, tc.want)
		})
	}
}

func TestParsePolicyFindsWorkloadsThatAnEarlierRuleAllows(t *testing.T) {
	t.Parallel()
	const ids = "repository_owner_id: '2', repository_id: '1'"
	for name, tc := range map[string]struct {
		first, second string // further claims
		idle          bool
	}{
		"the same":                         {"", "", true},
		"a narrower one":                   {"", ", ref: refs/heads/main", true},
		"a wider one":                      {", ref: refs/heads/main", "", false},
		"within a pattern":                 {", ref: 'refs/heads/*'", ", ref: refs/heads/main", true},
		"one of two":                       {", ref: [a, b]", ", ref: b", true},
		"two of one":                       {", ref: a", ", ref: [a, b]", false},
		"a pull request, named":            {", event_name: [push, pull_request]", ", event_name: pull_request", true},
		"a pull request, by a pattern":     {", event_name: '*'", ", event_name: pull_request", false},
		"a pull request, not named at all": {"", ", event_name: pull_request", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rule := func(name, more string) string {
				return "  - {name: " + name + ", reason: x, callers: [actions:o/r], where: {" + ids + more + "}, repositories: [o/r], permissions: {contents: read}}\n"
			}
			_, err := ParsePolicy([]byte("version: 1\nrules:\n" + rule("one", tc.first) + rule("two", tc.second)))
			if tc.idle {
				require.ErrorContains(t, err, `rule "two" can never match`)
				return
			}
			require.NoError(t, err)
		})
	}
}

func TestParsePolicyDoubtsAClaimThatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	const file = "version: 1\nallow:\n  - callers: [actions:o/r]\n    where: {repository_owner_id: '2', repository_id: '1', enviroment: x, brand_new: y}\n    permissions: {contents: read}\n"
	f, err := ParseRepositoryFile([]byte(file))
	require.NoError(t, err)
	require.Equal(t, Problems{
		{3, `"brand_new" is no claim of GitHub's tokens that this release knows`},
		{3, `"enviroment" is no claim of GitHub's tokens that this release knows (did you mean environment?)`},
	}, f.Doubts)
}

func TestRepositoryFileAllowsWorkloads(t *testing.T) {
	t.Parallel()
	f, err := ParseRepositoryFile([]byte("version: 1\nallow:\n  - callers: [actions:octo/deploy]\n" +
		"    where: {repository_owner_id: '583231', repository_id: '1296269', ref: refs/heads/main}\n    permissions: {contents: write}\n"))
	require.NoError(t, err)
	want := map[string]string{"contents": "write"}
	require.True(t, f.Allows(deploy(nil), want))
	require.False(t, f.Allows(deploy(map[string]string{"ref": "refs/heads/x"}), want))
	require.False(t, f.Allows(deploy(map[string]string{"repository_id": "9"}), want))
}

func TestCallerStringKeepsRunsApart(t *testing.T) {
	t.Parallel()
	require.Equal(t, "actions:octo/deploy#77", deploy(nil).String())
	require.Equal(t, "actions:octo/deploy", deploy(nil).who())
	require.Equal(t, "user:ada", Caller{Kind: User, Name: "ada"}.String())
}
