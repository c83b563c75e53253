package bot

import (
	"fmt"
	"math/rand/v2"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// plainRule is a rule as a person reads it.
type plainRule struct {
	Name         string              `yaml:"name"`
	Reason       string              `yaml:"reason"`
	Callers      []string            `yaml:"callers"`
	Where        map[string][]string `yaml:"where,omitempty"`
	Repositories []string            `yaml:"repositories"`
	Except       []string            `yaml:"except,omitempty"`
	Permissions  map[string]string   `yaml:"permissions"`
}

// plainly says whether a rule allows one permission on one repository to a
// caller, in the words of the documentation and with none of the code under
// test.
func (r plainRule) plainly(c Caller, repository, permission, level string) bool {
	named := false
	for _, pattern := range r.Callers {
		kind, name, _ := strings.Cut(pattern, ":")
		whole := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(name), `\*`, ".*") + "$")
		candidates := []string{c.Name}
		if kind == "group" {
			candidates = c.Groups
		} else if kind != c.Kind {
			continue
		} else if kind == "actions" { // letters are the same to GitHub
			whole = regexp.MustCompile("(?i)" + whole.String())
		}
		for _, candidate := range candidates {
			named = named || whole.MatchString(candidate)
		}
	}
	for claim, texts := range r.Where {
		met := false
		for _, text := range texts {
			whole := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(text), `\*`, ".*") + "$")
			value, there := c.Claims[claim]
			met = met || (there && whole.MatchString(value))
		}
		named = named && met
	}
	if c.Kind == "actions" && c.Claims["event_name"] == "pull_request" {
		literally := false
		for _, text := range r.Where["event_name"] {
			literally = literally || text == "pull_request"
		}
		named = named && literally
	}
	included := false
	for _, entry := range r.Repositories {
		if ok, _ := path.Match(strings.ToLower(entry), strings.ToLower(repository)); ok {
			included = true
		}
	}
	for _, entry := range r.Except {
		if strings.EqualFold(entry, repository) {
			included = false
		}
	}
	allowed := r.Permissions[permission]
	return named && included && (allowed == level || allowed == "write")
}

func (r plainRule) allows(c Caller, q Request) bool {
	for _, repository := range q.Repositories {
		for permission, level := range q.Permissions {
			if !r.plainly(c, repository, permission, level) {
				return false
			}
		}
	}
	return true
}

// world is small, so that rules and requests meet often.
type world struct{ *rand.Rand }

func (w world) pick(from ...string) string { return from[w.IntN(len(from))] }

func (w world) some(most int, one func() string) []string {
	seen, list := map[string]bool{}, []string{}
	for range 1 + w.IntN(most) {
		if s := one(); !seen[strings.ToLower(s)] {
			seen[strings.ToLower(s)] = true
			list = append(list, s)
		}
	}
	return list
}

func (w world) repository() string { return w.pick("o", "O", "p") + "/" + w.pick("a", "B", "b", "c") }

func (w world) permissions() map[string]string {
	m := map[string]string{}
	for range 1 + w.IntN(2) {
		m[w.pick("contents", "issues", "pull_requests")] = w.pick("read", "write")
	}
	return m
}

func (w world) rule(n int) plainRule {
	r := plainRule{Name: fmt.Sprintf("rule-%d", n), Reason: "random", Permissions: w.permissions(),
		Callers: w.some(2, func() string {
			return w.pick("service", "user", "group") + ":" + w.pick("a", "ab", "a*", "*b", "*", "b*a")
		}),
		Repositories: w.some(2, func() string {
			if w.IntN(3) == 0 {
				return w.pick("o", "p") + "/*"
			}
			return w.repository()
		})}
	if w.IntN(3) == 0 {
		r.Callers, r.Where = w.some(2, func() string { return "actions:" + w.pick("o", "O", "p") + "/" + w.pick("a", "b*") }), w.where()
	}
	for _, entry := range r.Repositories {
		owner, name, _ := strings.Cut(entry, "/")
		if name != "*" || w.IntN(2) == 0 {
			continue
		}
		except := owner + "/" + w.pick("a", "b", "c")
		if !strings.Contains(strings.ToLower(strings.Join(r.Repositories, " ")), except) {
			r.Except = append(r.Except, except)
		}
	}
	return r
}

func (w world) where() map[string][]string {
	claims := map[string][]string{"repository_id": {"1", "2"}, "repository_owner_id": {"1", "2"}}
	if w.IntN(2) == 0 {
		claims["ref"] = w.some(2, func() string { return w.pick("main", "m*", "dev", "*") })
	}
	if w.IntN(2) == 0 {
		claims["event_name"] = w.some(2, func() string { return w.pick("push", "pull_request", "p*", "*") })
	}
	return claims
}

// claims lack one now and then.
func (w world) claims() map[string]string {
	claims := map[string]string{"repository_id": w.pick("1", "2", "3"), "repository_owner_id": w.pick("1", "2"), "ref": w.pick("main", "dev", "mad"), "event_name": w.pick("push", "pull_request", "schedule")}
	delete(claims, w.pick("ref", "event_name", "repository_id", "x", "y", "z"))
	return claims
}

func (w world) caller() Caller {
	if w.IntN(3) == 0 {
		return Caller{Kind: "actions", Name: w.pick("o", "O", "p") + "/" + w.pick("a", "A", "b", "bx"), Claims: w.claims(), Part: w.pick("1", "2")}
	}
	return Caller{Kind: w.pick("service", "user"), Name: w.pick("a", "b", "ab", "ba", "bxa"), Groups: w.some(2, func() string { return w.pick("a", "b", "c") })}
}

func (w world) request() Request {
	owner := w.pick("o", "O", "p")
	return Request{Permissions: w.permissions(), Repositories: w.some(3, func() string { return owner + "/" + w.pick("a", "A", "b", "c") })}
}

// TestPolicyReadsAsAPersonReadsIt compares random policies and requests with
// the plain reading, both ways, and a rule that is reported as one that can
// never match with what it would have matched.
func TestPolicyReadsAsAPersonReadsIt(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	w := world{rand.New(rand.NewPCG(seed, 1))}
	allowed, refused, idle := 0, 0, 0
	for range 1500 {
		var plain struct {
			Version int         `yaml:"version"`
			Rules   []plainRule `yaml:"rules"`
		}
		plain.Version = 1
		for n := range 1 + w.IntN(4) {
			plain.Rules = append(plain.Rules, w.rule(n))
		}
		text, err := yaml.Marshal(plain)
		require.NoError(t, err)
		r := &reader{}
		p := r.policy(text)
		require.NoError(t, r.err(), "%s", text)
		r.idle(p)
		never := map[string]bool{}
		for _, problem := range r.problems {
			name, _, _ := strings.Cut(strings.TrimPrefix(problem.Message, `rule "`), `"`)
			never[name] = true
		}
		idle += len(never)
		for range 30 {
			caller, request := w.caller(), w.request()
			want := ""
			for _, rule := range plain.Rules {
				if rule.allows(caller, request) {
					want = rule.Name
					break
				}
			}
			got := p.Explain(caller, request)
			require.Equal(t, want != "", got.Allowed, "seed %d\n%s\n%+v %+v", seed, text, caller, request)
			require.Equal(t, want, got.Rule, "seed %d\n%s\n%+v %+v", seed, text, caller, request)
			require.False(t, never[got.Rule], "seed %d: %s was said never to match\n%s\n%+v %+v", seed, got.Rule, text, caller, request)
			if got.Allowed {
				allowed++
			} else {
				refused++
			}
		}
	}
	require.Greater(t, allowed, 1000)
	require.Greater(t, refused, 1000)
	require.Greater(t, idle, 3, "seed %d", seed) // 21 on average, with a deviation of 5
}
