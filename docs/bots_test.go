package docs

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/ghscoped/ghscoped-service/internal/bot"
)

func botsDocument(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("bots.md")
	require.NoError(t, err)
	return string(content)
}

// botExamples are the YAML blocks of docs/bots.md that have a key.
func botExamples(t *testing.T, key string) []string {
	t.Helper()
	var found []string
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(botsDocument(t), -1) {
		if strings.Contains(block[1], "\n"+key+":") {
			found = append(found, block[1])
		}
	}
	require.NotEmpty(t, found)
	return found
}

func TestPoliciesInTheDocumentAreGood(t *testing.T) {
	t.Parallel()
	for _, text := range botExamples(t, "rules") {
		_, err := bot.ParsePolicy([]byte(text))
		require.NoError(t, err, text)
	}
	for _, text := range botExamples(t, "allow") {
		_, err := bot.ParseRepositoryFile([]byte(text))
		require.NoError(t, err, text)
	}
}

func TestPolicyAnswersAsTheDocumentSays(t *testing.T) {
	t.Parallel()
	policy, err := bot.ParsePolicy([]byte(botExamples(t, "rules")[0]))
	require.NoError(t, err)
	row := regexp.MustCompile("(?m)^\\| `(service|user):([a-z-]+)`(?: in `([a-z]+)`)? \\| `([^`]+)` \\| `([a-z_]+):([a-z]+)` \\| (?:`([a-z]+)`|refused) \\|$")
	rows := row.FindAllStringSubmatch(botsDocument(t), -1)
	require.Len(t, rows, 10)
	for _, r := range rows {
		caller := bot.Caller{Kind: r[1], Name: r[2]}
		if r[3] != "" {
			caller.Groups = []string{r[3]}
		}
		decision := policy.Explain(caller, bot.Request{Repositories: []string{r[4]}, Permissions: map[string]string{r[5]: r[6]}})
		require.Equal(t, r[7], decision.Rule, r[0])
	}
}

func TestPolicyExplainIsAsTheDocumentShows(t *testing.T) {
	t.Parallel()
	policy, err := bot.ParsePolicy([]byte(botExamples(t, "rules")[0]))
	require.NoError(t, err)
	decision := policy.Explain(bot.Caller{Kind: bot.Service, Name: "nbbot"},
		bot.Request{Repositories: []string{"octo-org/grades"}, Permissions: map[string]string{"contents": "read"}})
	require.Len(t, decision.Steps, 3)
	document := botsDocument(t)
	for _, step := range decision.Steps {
		require.Regexp(t, `(?m)^policy\.yaml:`+regexp.QuoteMeta(strings.Join([]string{strconv.Itoa(step.Line), ` rule "` + step.Rule + `"`, " " + step.Why}, ":"))+"$", document)
	}
	require.Contains(t, document, "refused: "+decision.Why+"\n")

	policy, err = bot.ParsePolicy([]byte(botExamples(t, "rules")[1]))
	require.NoError(t, err)
	claims := map[string]string{"repository_id": "1296269", "repository_owner_id": "583231", "ref": "refs/heads/x", "event_name": "schedule"}
	decision = policy.Explain(bot.Caller{Kind: bot.Actions, Name: "octo-org/deploy", Claims: claims},
		bot.Request{Repositories: []string{"octo-org/deploy"}, Permissions: map[string]string{"contents": "write"}})
	require.Len(t, decision.Steps, 3)
	for _, step := range decision.Steps {
		require.Contains(t, document, "workflows.yaml:"+strconv.Itoa(step.Line)+`: rule "`+step.Rule+`": `+step.Why+"\n")
	}
	require.Contains(t, document, "refused: "+decision.Why+"\n")
	claims["ref"] = "refs/heads/main"
	require.True(t, policy.Explain(bot.Caller{Kind: bot.Actions, Name: "octo-org/deploy", Claims: claims},
		bot.Request{Repositories: []string{"octo-org/deploy"}, Permissions: map[string]string{"contents": "write"}}).Allowed)
}

func TestPermissionsThatTheDocumentNamesExist(t *testing.T) {
	t.Parallel()
	named := regexp.MustCompile("`([a-z_]+):(read|write)`").FindAllStringSubmatch(botsDocument(t), -1)
	require.Greater(t, len(named), 15)
	for _, n := range named {
		text := "version: 1\nrules:\n  - {name: a, reason: b, callers: ['service:c'], repositories: [o/r], permissions: {" + n[1] + ": " + n[2] + "}}\n"
		_, err := bot.ParsePolicy([]byte(text))
		require.NoError(t, err, n[0])
	}
}

// A workflow's own permissions have other names (pull-requests) than an App's.
func TestActionIsAskedForPermissionsThatThereAre(t *testing.T) {
	t.Parallel()
	for _, text := range botExamples(t, "jobs") {
		var workflow struct {
			Jobs map[string]struct {
				Steps []struct{ With map[string]string }
			}
		}
		require.NoError(t, yaml.Unmarshal([]byte(text), &workflow))
		var asked []string
		for _, job := range workflow.Jobs {
			for _, step := range job.Steps {
				asked = append(asked, strings.Fields(strings.ReplaceAll(step.With["permissions"], ": ", ":"))...)
			}
		}
		require.Equal(t, []string{"contents:write", "pull_requests:write"}, asked)
		for _, one := range asked {
			_, err := bot.ParsePolicy([]byte("version: 1\nrules:\n  - {name: a, reason: b, callers: ['service:c'], repositories: [o/r], permissions: {" + strings.Replace(one, ":", ": ", 1) + "}}\n"))
			require.NoError(t, err, one)
		}
	}
}

// The guide promises five lines; they have to be ones that the action takes.
func TestGuideChangesFiveLinesOfAWorkflow(t *testing.T) {
	t.Parallel()
	text := botExamples(t, "jobs")[1]
	marks := regexp.MustCompile(`(?m) # ([0-9])$`).FindAllStringSubmatch(text, -1)
	var numbers []string
	for _, mark := range marks {
		numbers = append(numbers, mark[1])
	}
	require.Equal(t, []string{"1", "2", "3", "4", "5"}, numbers)

	var workflow struct {
		Permissions map[string]string
		Jobs        map[string]struct {
			Steps []struct {
				Uses string
				ID   string
				With map[string]string
				Env  map[string]string
			}
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(text), &workflow))
	require.Equal(t, "write", workflow.Permissions["id-token"])
	require.Equal(t, "read", workflow.Permissions["contents"])
	var action struct {
		Inputs  map[string]struct{ Required bool }
		Outputs map[string]any
	}
	content, err := os.ReadFile("../action/action.yml")
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(content, &action))
	steps := workflow.Jobs["bump"].Steps
	ours := steps[1]
	require.Equal(t, "ghscoped/ghscoped-service/action@v1", ours.Uses)
	for name := range ours.With {
		require.Contains(t, action.Inputs, name)
	}
	for name, input := range action.Inputs {
		require.True(t, !input.Required || ours.With[name] != "", name)
	}
	require.Contains(t, action.Outputs, "token")
	require.Equal(t, "${{ steps."+ours.ID+".outputs.token }}", steps[len(steps)-1].Env["GH_TOKEN"])
	require.NotContains(t, text, "secrets.")
}

func TestGuideRulesAllowWhatTheyAreForAndNothingElse(t *testing.T) {
	t.Parallel()
	examples := botExamples(t, "rules")
	policy, err := bot.ParsePolicy([]byte(examples[len(examples)-1]))
	require.NoError(t, err)
	require.Empty(t, policy.Doubts)
	allows := func(repository string, claims map[string]string, target, permission string) string {
		claims["repository_owner_id"] = "583231"
		return policy.Explain(bot.Caller{Kind: bot.Actions, Name: repository, Claims: claims},
			bot.Request{Repositories: []string{target}, Permissions: map[string]string{permission: "write"}}).Rule
	}
	bump := func(file, ref, event string) map[string]string {
		return map[string]string{"repository_id": "1296269", "event_name": event, "ref": ref,
			"workflow_ref": "octo-org/deploy/.github/workflows/" + file + "@" + ref}
	}
	require.Equal(t, "bump-images", allows("octo-org/deploy", bump("bump.yaml", "refs/heads/main", "schedule"), "octo-org/deploy", "pull_requests"))
	require.Empty(t, allows("octo-org/deploy", bump("other.yaml", "refs/heads/main", "schedule"), "octo-org/deploy", "contents"))
	require.Empty(t, allows("octo-org/deploy", bump("bump.yaml", "refs/heads/x", "schedule"), "octo-org/deploy", "contents"))
	require.Empty(t, allows("octo-org/deploy", bump("bump.yaml", "refs/heads/main", "pull_request_target"), "octo-org/deploy", "contents"))

	comment := func(event string) map[string]string {
		return map[string]string{"repository_id": "1296270", "event_name": event, "ref": "refs/heads/main"}
	}
	require.Equal(t, "test-this-pr", allows("octo-org/chart", comment("issue_comment"), "octo-org/integration", "actions"))
	require.Empty(t, allows("octo-org/chart", comment("push"), "octo-org/integration", "actions"))
	require.Empty(t, allows("octo-org/chart", comment("issue_comment"), "octo-org/chart", "actions"))

	publish := map[string]string{"repository_id": "1296271", "event_name": "push", "ref": "refs/heads/x"}
	require.Empty(t, allows("octo-org/handbook", publish, "octo-org/site", "contents"), "no environment")
	publish["environment"] = "production"
	require.Equal(t, "publish", allows("octo-org/handbook", publish, "octo-org/site", "contents"))
}
