package bot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const goodPolicy = `version: 1
rules:
  - name: nightly
    reason: The nightly job refreshes the course material.
    callers: [service:nbbot, "group:teachers-*"]
    repositories: [octo-org/*]
    except: [octo-org/secrets]
    permissions: {contents: write, pull_requests: write}
    reuse: 30m
  - name: readers
    reason: Everybody in the course may read the handbook.
    callers: ["user:*", "service:reader"]
    repositories: [octo-org/handbook, Octo-Org/secrets]
    permissions: {contents: read}
`

func parse(t testing.TB, text string) *Policy {
	t.Helper()
	p, err := ParsePolicy([]byte(text))
	require.NoError(t, err)
	return p
}

func TestPolicyDecides(t *testing.T) {
	t.Parallel()
	p := parse(t, goodPolicy)
	nbbot, teacher := Caller{Kind: Service, Name: "nbbot"}, Caller{Kind: User, Name: "ada", Groups: []string{"x", "teachers-1"}}
	student := Caller{Kind: User, Name: "bob", Groups: []string{"students"}}
	write, read := map[string]string{"contents": "write"}, map[string]string{"contents": "read"}
	for name, tc := range map[string]struct {
		caller       Caller
		repositories []string
		permissions  map[string]string
		rule         string
	}{
		"a service by name":               {nbbot, []string{"octo-org/shared"}, write, "nightly"},
		"in other letters":                {nbbot, []string{"OCTO-org/Shared"}, write, "nightly"},
		"a group by pattern":              {teacher, []string{"octo-org/shared"}, write, "nightly"},
		"less than allowed":               {nbbot, []string{"octo-org/shared"}, read, "nightly"},
		"several repositories":            {nbbot, []string{"octo-org/a", "octo-org/b"}, write, "nightly"},
		"a later rule":                    {teacher, []string{"octo-org/secrets"}, read, "readers"},
		"any user":                        {student, []string{"octo-org/handbook"}, read, "readers"},
		"an excluded repository":          {nbbot, []string{"octo-org/secrets"}, write, ""},
		"one of two excluded":             {nbbot, []string{"octo-org/a", "octo-org/SECRETS"}, write, ""},
		"two rules that add up":           {teacher, []string{"octo-org/shared", "octo-org/secrets"}, read, ""},
		"more than allowed":               {student, []string{"octo-org/handbook"}, write, ""},
		"one permission too many":         {nbbot, []string{"octo-org/a"}, map[string]string{"contents": "read", "issues": "read"}, ""},
		"another owner":                   {nbbot, []string{"other/shared"}, write, ""},
		"an owner that only begins so":    {nbbot, []string{"octo-org2/shared"}, write, ""},
		"a user with a service's name":    {Caller{Kind: User, Name: "nbbot"}, []string{"octo-org/a"}, write, ""},
		"a service's name in other case":  {Caller{Kind: Service, Name: "NbBot"}, []string{"octo-org/a"}, write, ""},
		"a group's name as a user's":      {Caller{Kind: User, Name: "teachers-1"}, []string{"octo-org/a"}, write, ""},
		"a name with the kind in it":      {Caller{Kind: User, Name: "x:service:nbbot"}, []string{"octo-org/a"}, write, ""},
		"nobody":                          {Caller{}, []string{"octo-org/handbook"}, read, ""},
		"an unknown permission":           {nbbot, []string{"octo-org/a"}, map[string]string{"everything": "write"}, ""},
		"an organisation's permission":    {nbbot, []string{"octo-org/a"}, map[string]string{"members": "read"}, ""},
		"an unknown level":                {nbbot, []string{"octo-org/a"}, map[string]string{"contents": "admin"}, ""},
		"no permission":                   {nbbot, []string{"octo-org/a"}, nil, ""},
		"no repository":                   {nbbot, nil, write, ""},
		"a wildcard":                      {nbbot, []string{"octo-org/*"}, write, ""},
		"a path":                          {nbbot, []string{"octo-org/../x"}, write, ""},
		"dots":                            {nbbot, []string{"octo-org/.."}, write, ""},
		"two owners":                      {nbbot, []string{"octo-org/a", "octo/b"}, write, ""},
		"too many":                        {nbbot, strings.Split(strings.Repeat("octo-org/a,", 500)+"octo-org/a", ","), write, ""},
		"letters that look like others":   {nbbot, []string{"octo-org/ѕhared"}, write, ""},
		"a name that upper-cases strange": {nbbot, []string{"octo-org/ſhared"}, write, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request := Request{Repositories: tc.repositories, Permissions: tc.permissions}
			got := p.Explain(tc.caller, request)
			require.Equal(t, tc.rule, got.Rule, got.Why)
			require.Equal(t, tc.rule != "", got.Allowed)
			require.NotEmpty(t, got.Why)
		})
	}
}

func TestPolicyExplanationNamesEachRule(t *testing.T) {
	t.Parallel()
	p := parse(t, goodPolicy)
	got := p.Explain(Caller{Kind: User, Name: "ada", Groups: []string{"teachers-1"}},
		Request{Repositories: []string{"octo-org/secrets"}, Permissions: map[string]string{"contents": "read"}})
	require.Equal(t, []Step{
		{Rule: "nightly", Line: 3, Why: "it does not include octo-org/secrets"},
		{Rule: "readers", Line: 10, Allowed: true, Why: "it allows all of it"},
	}, got.Steps)
	require.Equal(t, `rule "readers" (line 10) allows this to user:ada`, got.Why)

	got = p.Explain(Caller{Kind: Service, Name: "reader"},
		Request{Repositories: []string{"octo-org/handbook"}, Permissions: map[string]string{"contents": "read", "issues": "write"}})
	require.Equal(t, []Step{
		{Rule: "nightly", Line: 3, Why: "it does not name service:reader"},
		{Rule: "readers", Line: 10, Why: "it does not allow issues:write"},
	}, got.Steps)
	require.Equal(t, "no rule allows this to service:reader", got.Why)
}

func TestParsePolicyRuleThatExcludesLessIsNoRepetition(t *testing.T) {
	t.Parallel()
	const two = "version: 1\nrules:\n  - {name: one, reason: a, callers: [service:a], repositories: [o/*, p/*], except: [o/x], permissions: {contents: read}}\n" +
		"  - {name: two, reason: b, callers: [service:a], repositories: [o/*], permissions: {contents: read}EXCEPT}\n"
	_, err := ParsePolicy([]byte(strings.Replace(two, "EXCEPT", "", 1)))
	require.NoError(t, err, "the second one adds o/x")
	_, err = ParsePolicy([]byte(strings.Replace(two, "EXCEPT", ", except: [o/x]", 1)))
	require.ErrorContains(t, err, `rule "two" can never match`)
}

func TestPolicyThatIsEmptyAllowsNothing(t *testing.T) {
	t.Parallel()
	p := parse(t, "version: 1\nrules: []\n")
	require.False(t, p.Explain(Caller{Kind: Service, Name: "a"}, Request{Repositories: []string{"o/r"}, Permissions: map[string]string{"contents": "read"}}).Allowed)
}

// ruleWith is a policy of one rule with one line exchanged or added.
func ruleWith(key, value string) string {
	lines := []string{"version: 1", "rules:", "  - name: one", "    reason: because", "    callers: [service:a]",
		"    repositories: [o/r]", "    permissions: {contents: read}"}
	for i, line := range lines {
		if strings.HasPrefix(strings.TrimLeft(line, " -"), key+":") {
			lines[i] = line[:strings.Index(line, key)] + key + ": " + value
			return strings.Join(lines, "\n") + "\n"
		}
	}
	return strings.Join(append(lines, "    "+key+": "+value), "\n") + "\n"
}

// badPolicies are what must be refused, with the line and the words that say so.
// schema says whether the published schema finds it as well.
var badPolicies = map[string]struct {
	text, want string
	schema     bool
}{
	"nothing":                         {"", "the file is empty", true},
	"a comment":                       {"# nothing\n", "the file is empty", true},
	"null":                            {"null\n", "line 1: the policy must be a mapping", true},
	"a list":                          {"- a\n", "line 1: the policy must be a mapping", true},
	"no YAML":                         {"version: 1\nrules: [\n", "this is not YAML", true},
	"a tab":                           {"version: 1\nrules:\n\t- a\n", "line 3: this is not YAML", true},
	"two documents":                   {"version: 1\nrules: []\n---\nversion: 1\nrules: []\n", "line 3: the file holds more than one document", true},
	"another version":                 {"version: 2\nrules: []\n", "line 1: version must be 1", true},
	"a version in quotes":             {"version: '1'\nrules: []\n", "line 1: version must be 1", true},
	"no version":                      {"rules: []\n", `line 1: the policy lacks the key "version"`, true},
	"no rules":                        {"version: 1\n", `line 1: the policy lacks the key "rules"`, true},
	"an unknown key":                  {"version: 1\nrules: []\nallow_all: true\n", `line 3: the policy knows no key "allow_all"`, true},
	"a duplicate key":                 {"version: 1\nrules: []\nversion: 1\n", `line 3: the key "version" stands twice, first in line 1`, false},
	"a merge key":                     {"version: 1\nrules:\n  - <<: {name: a}\n", `line 3: a key of a rule is no plain text`, true},
	"an alias":                        {ruleWith("repositories", "&r [o/r]") + "    except: *r\n", `line 8: except uses an anchor or alias`, false},
	"a key with an anchor":            {strings.Replace(ruleWith("name", "one"), "name:", "&n name:", 1), `line 3: a key of a rule is no plain text`, false},
	"an anchor":                       {"version: 1\nrules: &r []\n", `line 2: rules uses an anchor`, false},
	"rules as a mapping":              {"version: 1\nrules: {}\n", "line 2: rules must be a list", true},
	"an unknown key in a rule":        {ruleWith("repos", "[o/r]"), `line 8: a rule knows no key "repos"`, true},
	"a duplicate key in a rule":       {ruleWith("name", "one\n    name: two"), `line 4: the key "name" stands twice, first in line 3`, false},
	"a name with spaces":              {ruleWith("name", "a b"), `line 3: the name "a b"`, true},
	"a name that begins with a dash":  {ruleWith("name", "-a"), `line 3: the name "-a"`, true},
	"a caller that begins with colon": {ruleWith("callers", `["user::a"]`), `line 5: the caller "user::a"`, true},
	"a name that is a number":         {ruleWith("name", "12"), `line 3: name must be a text; put "12" in quotes`, true},
	"an empty reason":                 {ruleWith("reason", `""`), "line 4: reason must be one line", true},
	"a reason of two lines":           {ruleWith("reason", `"a\nb"`), "line 4: reason must be one line", false},
	"a reason with a delete":          {ruleWith("reason", `"a\x7fb"`), "line 4: reason must be one line", false},
	"a reason of 1001 bytes":          {ruleWith("reason", strings.Repeat("a", 1001)), "line 4: reason must be one line of 1 to 1000 bytes", false},
	"a caller without a kind":         {ruleWith("callers", "[nbbot]"), `line 5: the caller "nbbot" must be`, true},
	"a caller of an unknown kind":     {ruleWith("callers", "['admin:x']"), `line 5: the caller "admin:x"`, true},
	"a star alone":                    {ruleWith("callers", `["*"]`), `line 5: the caller "*"`, true},
	"a caller that begins with space": {ruleWith("callers", `["user: a"]`), `line 5: the caller "user: a"`, true},
	"a caller of too long a name":     {ruleWith("callers", "['user:"+strings.Repeat("é", 256)+"']"), `line 5: the caller "user:`, true},
	"a name of 65 letters":            {ruleWith("name", strings.Repeat("a", 65)), `line 3: the name "aaa`, true},
	"a reuse with a plus":             {ruleWith("reuse", "+5m"), `line 8: reuse "`, true},
	"a reuse beyond any number":       {ruleWith("reuse", "153722867281m"), `line 8: reuse "`, true},
	"a caller without a name":         {ruleWith("callers", `["user:"]`), `line 5: the caller "user:"`, true},
	"no callers":                      {ruleWith("callers", "[]"), "line 5: callers is empty, so nothing can ever match", true},
	"callers as text":                 {ruleWith("callers", "service:a"), "line 5: callers must be a list", true},
	"a caller twice":                  {ruleWith("callers", "[service:a, service:a]"), `line 5: "service:a" stands twice in callers`, true},
	"a repository as git has it":      {ruleWith("repositories", "[o/r.git]"), `line 6: the repository "o/r.git" must be OWNER/NAME`, false},
	"a longer owner than any":         {ruleWith("repositories", "["+strings.Repeat("o", 40)+"/*]"), `line 6: the repository "oooo`, true},
	"every repository":                {ruleWith("repositories", `["*"]`), `line 6: the repository "*" must be OWNER/NAME or OWNER/*`, true},
	"every owner":                     {ruleWith("repositories", `["*/*"]`), `line 6: the repository "*/*"`, true},
	"a pattern in a name":             {ruleWith("repositories", `["o/r*"]`), `line 6: the repository "o/r*"`, true},
	"a pattern in an owner":           {ruleWith("repositories", `["o*/r"]`), `line 6: the repository "o*/r"`, true},
	"a repository without owner":      {ruleWith("repositories", "[r]"), `line 6: the repository "r"`, true},
	"an owner that begins with dash":  {ruleWith("repositories", "[-o/r]"), `line 6: the repository "-o/r"`, true},
	"a repository with a path":        {ruleWith("repositories", "[o/r/x]"), `line 6: the repository "o/r/x"`, true},
	"a repository that is a folder":   {ruleWith("repositories", "[o/..]"), `line 6: the repository "o/.."`, true},
	"an address":                      {ruleWith("repositories", "['https://github.com/o/r']"), "line 6: the repository", true},
	"no repositories":                 {ruleWith("repositories", "[]"), "line 6: repositories is empty", true},
	"a repository twice":              {ruleWith("repositories", "[o/r, O/R]"), `line 6: "O/R" stands twice`, false},
	"a permission as no name is":      {ruleWith("permissions", "{pull-requests: read}"), `line 7: "pull-requests" is no permission that a repository can give (did you mean pull_requests?)`, true},
	"an organisation's permission":    {ruleWith("permissions", "{members: read}"), `line 7: "members" is no permission`, false},
	"another of an organisation's":    {ruleWith("permissions", "{organization_secrets: read}"), `line 7: "organization_secrets" is no permission`, false},
	"a level of no permission":        {ruleWith("permissions", "{something_new: all}"), "line 7: the permission something_new can be read or write or admin, not", false},
	"a caller that ends with space":   {ruleWith("callers", "['user:a ']"), `line 5: the caller "user:a "`, true},
	"a user's name with a capital":    {ruleWith("callers", "['user:Ada']"), `line 5: the caller "user:Ada" must be service:NAME, user:NAME, group:NAME, actions:OWNER/NAME, kubernetes:NAMESPACE/NAME or oidc:ISSUER; the Hub's names of users have no capitals`, false},
	"all permissions":                 {ruleWith("permissions", `{"*": write}`), `line 7: "*" is no permission`, true},
	"a key misspelt":                  {ruleWith("reuze", "1m"), `line 8: a rule knows no key "reuze" (did you mean reuse?)`, true},
	"an unknown level":                {ruleWith("permissions", "{contents: admin}"), "line 7: the permission contents can be read or write, not", true},
	"a level that it lacks":           {ruleWith("permissions", "{metadata: write}"), "line 7: the permission metadata can be read, not", true},
	"a level that is no text":         {ruleWith("permissions", "{contents: true}"), `line 7: a permission must be a text; put "true" in quotes`, true},
	"a permission twice":              {ruleWith("permissions", "{contents: read, contents: write}"), `line 7: the key "contents" stands twice`, false},
	"no permissions":                  {ruleWith("permissions", "{}"), "line 7: permissions is empty", true},
	"permissions as a list":           {ruleWith("permissions", "[contents]"), "line 7: permissions must be a mapping", true},
	"a reuse beyond the hour":         {ruleWith("reuse", "51m"), `line 8: reuse "51m" must be 1m to 50m`, true},
	"a reuse of nothing":              {ruleWith("reuse", "0m"), `line 8: reuse "`, true},
	"a reuse in hours":                {ruleWith("reuse", "1h"), `line 8: reuse "`, true},
	"an exception that does nothing":  {ruleWith("except", "[o/x]"), `line 8: "o/x" excludes nothing: repositories has no o/*`, false},
	"an exception that takes its all": {ruleWith("except", "[O/r]"), `line 8: "o/r" is named in repositories and in except: it can never match`, false},
	"an exception twice":              {ruleWith("except", "[o/x, O/X]"), `line 8: "O/X" stands twice in except, first in line 8`, false},
	"an exception by pattern":         {ruleWith("except", `["o/*"]`), `line 8: the exception "o/*" must be OWNER/NAME`, true},
	"a workflow of no repository":     {ruleWith("callers", "[actions:octo]"), `line 5: the caller "actions:octo"`, true},
	"any owner's workflows":           {ruleWith("callers", "['actions:*/deploy']"), `line 5: the caller "actions:*/deploy"`, true},
	"any namespace":                   {ruleWith("callers", "['kubernetes:*/bump']"), `line 5: the caller "kubernetes:*/bump"`, true},
	"an issuer in the clear":          {ruleWith("callers", "['oidc:http://gitlab.example.org']"), `line 5: the caller "oidc:http`, true},
	"a pattern of issuers":            {ruleWith("callers", "['oidc:https://*.example.org']"), `line 5: the caller "oidc:https://*`, true},
	"a workflow without numbers":      {ruleWith("callers", "[actions:octo/deploy]"), "line 3: where lacks repository_owner_id, GitHub's number of each: whoever takes over the name would be allowed as well (gh api users/octo --jq .id)", false},
	"an issuer's everybody":           {ruleWith("callers", "['oidc:https://gitlab.example.org']"), "line 3: oidc:ISSUER without a claim that says who", false},
	"an issuer's anything":            {ruleWith("callers", "['oidc:https://gitlab.example.org']") + "    where: {sub: '*'}\n", "line 3: oidc:ISSUER without a claim that says who", false},
	"claims of a Hub's service":       {ruleWith("where", "{sub: x}"), "line 3: where is about the tokens of workloads", false},
	"claims of two kinds":             {ruleWith("callers", "[kubernetes:a/b, actions:o/r]") + "    where: {sub: x}\n", "line 3: callers of several kinds", false},
	"a workflow and a service":        {ruleWith("callers", "[service:a, actions:o/r]"), "line 3: callers of several kinds", false},
	"no claims":                       {ruleWith("where", "{}"), "line 8: where is empty", true},
	"claims as a list":                {ruleWith("where", "[sub]"), "line 8: where must be a mapping", true},
	"a claim that is a number":        {ruleWith("where", "{sub: 1}"), `line 8: sub must be a text; put "1" in quotes`, true},
	"a claim that is a mapping":       {ruleWith("where", "{sub: {a: b}}"), "line 8: sub must be a text", true},
	"a claim of no text":              {ruleWith("where", "{sub: []}"), "line 8: sub is empty, so nothing can ever match", true},
	"a claim of a number in a list":   {ruleWith("where", "{sub: [a, 1]}"), `line 8: a claim must be a text; put "1" in quotes`, true},
	"a claim's text twice":            {ruleWith("where", "{sub: [a, a]}"), `line 8: "a" stands twice in sub`, true},
	"a claim twice":                   {ruleWith("where", "{sub: a, sub: b}"), `line 8: the key "sub" stands twice`, false},
	"a claim as no name is":           {ruleWith("where", "{'a b': x}"), `line 8: "a b" is no name of a claim`, true},
	"a rule's name twice": {ruleWith("permissions", "{contents: read}\n  - {name: one, reason: b, callers: [user:x], repositories: [o/r], permissions: {issues: read}}"),
		`line 8: the name "one" is that of the rule in line 3 already`, false},
	"a rule that can never match": {ruleWith("permissions", "{contents: read}\n  - {name: two, reason: b, callers: [service:a], repositories: [o/r], permissions: {contents: read}}"),
		`line 8: rule "two" can never match: rule "one" in line 3 allows all of it already`, false},
}

func TestParsePolicyRefusesABadOneByItsLine(t *testing.T) {
	t.Parallel()
	require.NoError(t, func() error { _, err := ParsePolicy([]byte(ruleWith("reuse", "50m"))); return err }())
	for name, tc := range badPolicies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := ParsePolicy([]byte(tc.text))
			require.ErrorContains(t, err, tc.want)
			require.Nil(t, p)
			var problems Problems
			require.True(t, errors.As(err, &problems))
		})
	}
}

func TestParsePolicyNamesAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := ParsePolicy([]byte("version: 3\nrules:\n  - name: a b\n    callers: [x]\n    colour: red\n"))
	require.EqualError(t, err, `line 1: version must be 1
line 3: the name "a b" must be 1 to 64 letters, digits, dots, dashes and underscores
line 3: a rule lacks the key "reason"
line 3: a rule lacks the key "repositories"
line 3: a rule lacks the key "permissions"
line 4: the caller "x" must be service:NAME, user:NAME, group:NAME, actions:OWNER/NAME, kubernetes:NAMESPACE/NAME or oidc:ISSUER; the Hub's names of users have no capitals
line 5: a rule knows no key "colour"; it has callers, except, name, permissions, reason, repositories, reuse, where`)
}

func TestParsePolicyNamesNothingButTheProblem(t *testing.T) {
	t.Parallel()
	nameless := strings.Replace(ruleWith("reason", "because"), "name: one\n    ", "", 1)
	_, rule, _ := strings.Cut(nameless, "rules:\n")
	for name, tc := range map[string]struct{ text, want string }{
		"an empty file":              {"", "the file is empty"},
		"no YAML, in no line":        {"\x00", "this is not YAML: control characters are not allowed"},
		"a list for a mapping":       {"- a\n", "line 1: the policy must be a mapping"},
		"a mapping for a text":       {ruleWith("name", "{a: b}"), "line 3: name must be a text"},
		"a rule that is null":        {"version: 1\nrules:\n  - !!null {name: one}\n", "line 3: a rule must be a mapping"},
		"a key twice":                {ruleWith("name", "one\n    name: two"), `line 4: the key "name" stands twice, first in line 3`},
		"an anchor and its alias":    {ruleWith("&k reason", "because") + "    *k : because\n", "line 8: a key of a rule is no plain text\nline 9: a key of a rule is no plain text"},
		"a permission like no other": {ruleWith("permissions", "{zzzzz-zzz: read}"), `line 7: "zzzzz-zzz" is no permission that a repository can give`},
		"two rules without a name":   {nameless + rule, "line 3: a rule lacks the key \"name\"\nline 7: a rule lacks the key \"name\""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ParsePolicy([]byte(tc.text))
			require.EqualError(t, err, tc.want)
		})
	}
}

func TestParsePolicyAccepts(t *testing.T) {
	t.Parallel()
	var callers []string
	for n := range maxEntries + 1 {
		callers = append(callers, fmt.Sprintf("service:a%d", n))
	}
	for name, text := range map[string]string{
		"callers in other letters":     ruleWith("callers", "[service:a, service:A]"),
		"more callers than rules":      ruleWith("callers", "["+strings.Join(callers, ", ")+"]"),
		"a reason of a thousand bytes": ruleWith("reason", strings.Repeat("a", 1000)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ParsePolicy([]byte(text))
			require.NoError(t, err)
		})
	}
}

func TestReadPolicyReadsNoFileThatIsTooLarge(t *testing.T) {
	t.Parallel()
	_, err := ParsePolicy([]byte(goodPolicy + strings.Repeat("#", maxPolicy)))
	require.ErrorContains(t, err, "larger than")
	_, err = ParseRepositoryFile([]byte("version: 1\nallow: []\n" + strings.Repeat("#", maxRepositoryFile)))
	require.ErrorContains(t, err, "larger than")
	_, err = ParsePolicy([]byte("version: 1\nrules:\n" + strings.Repeat("  - {}\n", maxEntries+1)))
	require.ErrorContains(t, err, "more than 1000 rules")
}

func TestPatternMatchesWholeNames(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		pattern, text string
		want          bool
	}{
		{"a", "a", true}, {"a", "ab", false}, {"a", "ba", false}, {"*", "", true}, {"*", "x", true},
		{"a*", "a", true}, {"a*", "abc", true}, {"a*", "ba", false}, {"*a", "ba", true}, {"*a", "ab", false},
		{"a*c", "abbc", true}, {"a*c", "ac", true}, {"a*c", "acb", false}, {"*b*", "abc", true}, {"*ab*ab", "abab", true},
		{"*ab*ab", "ab", false}, {"", "", true}, {"", "a", false}, {"a**b", "ab", true}, {"ü*", "ünal", true},
	} {
		require.Equal(t, tc.want, glob(tc.pattern, tc.text), "%q of %q", tc.pattern, tc.text)
	}
	require.False(t, glob(strings.Repeat("*a", 100)+"b", strings.Repeat("a", 1000)), "and not for ever")
}

func TestRepositoryFileAllowsWhatItSays(t *testing.T) {
	t.Parallel()
	f, err := ParseRepositoryFile([]byte("version: 1\nallow:\n  - callers: [service:nbbot]\n    permissions: {contents: write}\n    reason: ours\n"))
	require.NoError(t, err)
	nbbot := Caller{Kind: Service, Name: "nbbot"}
	require.True(t, f.Allows(nbbot, map[string]string{"contents": "write"}))
	require.True(t, f.Allows(nbbot, map[string]string{"contents": "read"}))
	require.False(t, f.Allows(nbbot, map[string]string{"contents": "read", "issues": "read"}))
	require.False(t, f.Allows(Caller{Kind: Service, Name: "other"}, map[string]string{"contents": "read"}))

	f, err = ParseRepositoryFile([]byte("version: 1\nallow: []\n"))
	require.NoError(t, err)
	require.False(t, f.Allows(nbbot, map[string]string{"contents": "read"}))
	for _, bad := range []string{"", "version: 1", "allow: []", "version: 1\nallow: [{}]", "version: 1\nallow: []\nallow: []",
		"version: 1\nallow:\n - {callers: [service:a], permissions: {contents: read}, repositories: [o/r]}",
		"version: 1\nallow: all", "version: 1\nallow:\n - {callers: [service:a], permissions: {contents: read}, reason: [ours]}"} {
		_, err := ParseRepositoryFile([]byte(bad))
		require.Error(t, err, bad)
	}
}

func TestPolicyFollowsItsFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	_, err := OpenPolicy(path)
	require.ErrorContains(t, err, "no such file")
	require.NoError(t, os.WriteFile(path, []byte("version: 9"), 0o600))
	_, err = OpenPolicy(path)
	require.ErrorContains(t, err, "line 1: version must be 1")

	replace := func(text string) {
		require.NoError(t, os.WriteFile(path+".new", []byte(text), 0o600))
		require.NoError(t, os.Rename(path+".new", path))
	}
	replace(goodPolicy)
	file, err := OpenPolicy(path)
	require.NoError(t, err)
	first := file.Current()
	require.Len(t, first.rules, 2)
	require.Same(t, first, file.Current(), "an unchanged file is not read again")

	replace("version: 1\nrules: [")
	require.Same(t, first, file.Current(), "the last good one stays")
	require.ErrorContains(t, file.Err(), "not YAML")

	require.NoError(t, os.WriteFile(path, []byte(ruleWith("reuse", "1m")), 0o600)) // in place
	require.Len(t, file.Current().rules, 1)
	require.NoError(t, file.Err())

	for name, stop := range map[string]func(){
		"it is gone":              func() { require.NoError(t, os.Remove(path)) },
		"it is empty":             func() { replace("") },
		"it holds a comment only": func() { replace("# stopped\n") },
	} {
		replace(ruleWith("reuse", "1m"))
		require.Len(t, file.Current().rules, 1)
		stop()
		require.Empty(t, file.Current().rules, "all bots stop when %s", name)
		require.Error(t, file.Err())
	}
	replace(goodPolicy)
	require.Len(t, file.Current().rules, 2)
	require.Equal(t, 30*time.Minute, file.Current().rules[0].reuse)
}

func TestPolicyFileIsReadAgainWhen(t *testing.T) {
	t.Parallel()
	longer := strings.Replace(goodPolicy, "version: 1", "version: 1 ", 1)
	for name, change := range map[string]func(path string, was time.Time){
		"only its time has changed": func(path string, was time.Time) {
			_ = os.WriteFile(path, []byte(goodPolicy), 0o600)
			_ = os.Chtimes(path, was, was.Add(time.Second))
		},
		"only its size has changed": func(path string, was time.Time) {
			_ = os.WriteFile(path, []byte(longer), 0o600)
			_ = os.Chtimes(path, was, was)
		},
		"it is another file of the same time and size": func(path string, was time.Time) {
			_ = os.WriteFile(path+".new", []byte(goodPolicy), 0o600)
			_ = os.Chtimes(path+".new", was, was)
			_ = os.Rename(path+".new", path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "policy.yaml")
			require.NoError(t, os.WriteFile(path, []byte(goodPolicy), 0o600))
			file, err := OpenPolicy(path)
			require.NoError(t, err)
			first := file.Current()
			info, err := os.Stat(path)
			require.NoError(t, err)
			change(path, info.ModTime())
			require.NotSame(t, first, file.Current())
		})
	}
}

func TestParsePolicyDoubtsAPermissionThatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	p := parse(t, ruleWith("permissions", "{content: read, brand_new: admin}"))
	require.Equal(t, Problems{
		{7, `"content" is no permission that this release knows (did you mean contents?); GitHub decides when a token is asked for`},
		{7, `"brand_new" is no permission that this release knows; GitHub decides when a token is asked for`},
	}, p.Doubts)
	request := Request{Repositories: []string{"o/r"}, Permissions: map[string]string{"brand_new": "write"}}
	require.True(t, p.Explain(Caller{Kind: Service, Name: "a"}, request).Allowed)
	require.Empty(t, parse(t, goodPolicy).Doubts)
}

func TestPolicyAllowsMetadataBesideSomethingElse(t *testing.T) {
	t.Parallel()
	p := parse(t, goodPolicy)
	for level, allowed := range map[string]bool{"read": true, "write": false} {
		request := Request{Repositories: []string{"octo-org/a"}, Permissions: map[string]string{"contents": "write", "metadata": level}}
		require.Equal(t, allowed, p.Explain(Caller{Kind: Service, Name: "nbbot"}, request).Allowed)
	}
}

// A policy of the greatest size, whose rules have much in common.
func BenchmarkParsePolicy(b *testing.B) {
	for _, rules := range []int{250, 500, 1000} {
		b.Run(fmt.Sprint(rules), func(b *testing.B) {
			var text strings.Builder
			text.WriteString("version: 1\nrules:\n")
			for i := range rules {
				callers := make([]string, 60)
				for j := range callers {
					callers[j] = fmt.Sprintf("'user:%x.%x'", i, j)
				}
				fmt.Fprintf(&text, "  - {name: r%d, reason: x, callers: [%s], repositories: [o/a, o/b%d], permissions: {contents: write}}\n", i, strings.Join(callers, ", "), i)
			}
			for b.Loop() {
				_, err := ParsePolicy([]byte(text.String()))
				require.NoError(b, err)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(rules), "µs/rule")
		})
	}
}

func TestPolicyFileErrLooksByItself(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	require.NoError(t, os.WriteFile(path, []byte(goodPolicy), 0o600))
	file, err := OpenPolicy(path)
	require.NoError(t, err)
	require.NoError(t, os.Remove(path))
	require.ErrorIs(t, file.Err(), os.ErrNotExist)
	require.NoError(t, os.Mkdir(path, 0o700))
	require.ErrorContains(t, file.Err(), "is a directory")
}

func BenchmarkBotTokenRefused(b *testing.B) {
	var text strings.Builder
	text.WriteString("version: 1\nrules:\n")
	for i := range 100 {
		fmt.Fprintf(&text, "  - {name: r%d, reason: x, callers: ['service:bot-%d-*', 'group:g%d'], repositories: [o%d/a, o%d/*], permissions: {contents: write}}\n", i, i, i, i, i)
	}
	p := parse(b, text.String())
	caller := Caller{Kind: Service, Name: "bot-99-x", Groups: []string{"a", "b"}}
	request := Request{Repositories: []string{"other/a"}, Permissions: map[string]string{"contents": "write"}}
	b.ReportAllocs()
	for b.Loop() {
		if a, problem := request.check(); problem != nil || p.decide(caller, a).Allowed {
			b.Fatal("must be refused")
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "refusals/s")
}
