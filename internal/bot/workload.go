package bot

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/ghscoped/ghscoped-service/internal/spelling"
)

// Kinds of workloads: callers that show an identity token of their platform
// (OpenID Connect) in place of the Hub's.
const (
	Actions    = "actions"    // the workflows of a repository, OWNER/NAME
	Kubernetes = "kubernetes" // a service account, NAMESPACE/NAME
	OIDC       = "oidc"       // whoever another issuer speaks for, by its address
)

// IsWorkload reports whether callers of a kind show an identity token.
func IsWorkload(kind string) bool { return kind == Actions || kind == Kubernetes || kind == OIDC }

// conditions are what the claims of a workload's token have to be: each claim one of
// the texts, where * stands for any run of characters.
type conditions map[string]texts

// texts are one text, or a list of them.
type texts []string

// UnmarshalYAML implements [yaml.Unmarshaler].
func (t *texts) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*t = texts{n.Value}
		return nil
	}
	return n.Decode((*[]string)(t))
}

// claimText is what one claim has to be.
type claimText string

func (claimText) form() form { return form{what: "a claim"} }

// Claims that stand for a name which somebody else may get: a repository's and an
// owner's, by GitHub's own number. Numbers are never given again.
const (
	repositoryID = "repository_id"
	ownerID      = "repository_owner_id"
	eventName    = "event_name"
)

var (
	claimNames = regexp.MustCompile(`^[A-Za-z0-9_./:-]{1,100}$`)
	numbers    = regexp.MustCompile(`^[1-9][0-9]{0,18}$`)
)

// actionsClaims are those of GitHub's tokens for workflows; it may add to them.
var actionsClaims = []string{
	"actor", "actor_id", "base_ref", "enterprise", "enterprise_id", "environment", "environment_node_id", eventName, "head_ref",
	"job_workflow_ref", "job_workflow_sha", "ref", "ref_protected", "ref_type", "repository", repositoryID, "repository_owner",
	ownerID, "repository_visibility", "run_attempt", "run_id", "run_number", "runner_environment", "sha", "sub", "workflow",
	"workflow_ref", "workflow_sha",
}

// fromOutside reports whether people who cannot write to a repository may start its
// workflows by an event: their pull request is one, from a fork as well.
func fromOutside(event string) bool { return strings.HasPrefix(event, "pull_request") }

// refusal says why a caller does not meet the conditions; "": it does.
func (w conditions) refusal(c Caller) string {
	if event := c.Claims[eventName]; c.Kind == Actions && fromOutside(event) && !slices.Contains(w[eventName], event) {
		return fmt.Sprintf("it does not name the event %s, which a fork can start", event)
	}
	for _, claim := range sortedKeys(w) {
		value, there := c.Claims[claim]
		if !there {
			return "the token has no " + claim
		}
		if !slices.ContainsFunc(w[claim], func(p string) bool { return glob(p, value) }) {
			return fmt.Sprintf("%s is %.200q, not %s", claim, value, quoted(w[claim]))
		}
	}
	return ""
}

func quoted(all []string) string {
	var list []string
	for _, one := range all {
		list = append(list, fmt.Sprintf("%.200q", one))
	}
	return strings.Join(list, " or ")
}

// within reports whether whoever meets w meets other as well. Texts are compared as
// those of callers are.
func (w conditions) within(other conditions) bool {
	for claim, allowed := range other {
		own, there := w[claim]
		if !there || slices.ContainsFunc(own, func(one string) bool {
			return !slices.ContainsFunc(allowed, func(p string) bool { return glob(p, one) })
		}) {
			return false
		}
	}
	return !slices.ContainsFunc(w[eventName], func(event string) bool {
		return fromOutside(event) && !slices.Contains(other[eventName], event)
	})
}

// checkConditions checks a mapping of claims to texts.
func (r *reader) checkConditions(n *yaml.Node, what string) bool {
	if len(n.Content) == 0 {
		r.problem(n.Line, "%s is empty; leave it out, or name a claim", what)
	}
	r.checkPairs(n, what, func(key, value *yaml.Node) bool {
		if !claimNames.MatchString(key.Value) {
			r.problem(key.Line, "%.120q is no name of a claim", key.Value)
			return false
		}
		if value.Kind == yaml.SequenceNode {
			return r.check(value, reflect.TypeFor[[]claimText](), key.Value)
		}
		return r.check(value, reflect.TypeFor[claimText](), key.Value)
	})
	return true
}

// workloads checks callers against the conditions that they have to meet: a name
// without a number is a promise to whoever takes it over.
func (r *reader) workloads(line int, callers []pattern, where conditions) {
	kinds, hub := map[string]bool{}, false
	for _, p := range callers {
		kinds[p.kind], hub = true, hub || !IsWorkload(p.kind)
	}
	switch {
	case len(where) > 0 && hub:
		r.problem(line, "where is about the tokens of workloads; the Hub's services, users and groups have none")
	case len(where) > 0 && len(kinds) > 1, kinds[Actions] && len(kinds) > 1:
		r.problem(line, "callers of several kinds have not the same claims: write a rule for each kind")
	case kinds[Actions]:
		r.numbered(line, callers, where)
		r.doubtClaims(line, where)
	case kinds[OIDC] && !where.exact():
		r.problem(line, "oidc:ISSUER without a claim that says who, such as sub in where, is everybody whom the issuer knows")
	}
}

// exact reports whether some claim is more than any text.
func (w conditions) exact() bool {
	for _, all := range w {
		if !slices.ContainsFunc(all, func(text string) bool { return strings.Trim(text, "*") == "" }) {
			return true
		}
	}
	return false
}

// numbered demands the numbers of the repositories that call, and of their owners.
func (r *reader) numbered(line int, callers []pattern, where conditions) {
	owners, repositories := map[string]bool{}, map[string]bool{}
	for _, p := range callers {
		owner, name, _ := strings.Cut(p.name, "/")
		owners["users/"+owner] = true
		if !strings.Contains(name, "*") {
			repositories["repos/"+p.name] = true
		}
	}
	demand := func(claim string, of map[string]bool) {
		ids := where[claim]
		if len(ids) < len(of) || slices.ContainsFunc(ids, func(id string) bool { return !numbers.MatchString(id) }) {
			r.problem(line, "where lacks %s, GitHub's number of each: whoever takes over the name would be allowed as well (gh api %s --jq .id)",
				claim, strings.Join(sortedKeys(of), " "))
		}
	}
	demand(ownerID, owners)
	if len(repositories) == len(callers) {
		demand(repositoryID, repositories)
	}
}

func (r *reader) doubtClaims(line int, where conditions) {
	for _, claim := range sortedKeys(where) {
		if slices.Contains(actionsClaims, claim) {
			continue
		}
		doubt := fmt.Sprintf("%q is no claim of GitHub's tokens that this release knows", claim)
		if near := spelling.Nearest(claim, actionsClaims); near != "" {
			doubt += " (did you mean " + near + "?)"
		}
		r.doubts = append(r.doubts, Problem{line, doubt})
	}
}

// told are the claims that say in the audit what a workload was.
func told(claims map[string]string) map[string]string {
	some := map[string]string{}
	for _, claim := range []string{
		"sub", "ref", "environment", "workflow_ref", "job_workflow_ref", eventName, "actor", repositoryID, ownerID, "kubernetes.io.pod.name",
	} {
		if value := claims[claim]; value != "" {
			some[claim] = value
		}
	}
	if len(some) == 0 {
		return nil
	}
	return some
}
