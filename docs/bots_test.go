package docs

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

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
