package bot

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/github"
)

// Policy says who may have which token. Make it with [ParsePolicy].
type Policy struct {
	// Doubts are what may be a mistake in it.
	Doubts Problems

	rules []rule
}

// rule is one rule; the first that allows a whole request decides. Names of
// repositories are in lower case, as GitHub compares them.
type rule struct {
	name         string
	line         int
	reason       string
	callers      []pattern
	where        conditions
	named        map[pattern]bool // the callers
	repositories map[string]bool  // OWNER/NAME
	owners       map[string]bool  // OWNER of OWNER/*
	except       map[string]bool  // OWNER/NAME
	permissions  map[string]string
	reuse        time.Duration
}

// pattern is a caller as a rule names it: KIND:NAME, where * in NAME stands for
// any run of characters.
type pattern struct {
	kind, name string
}

func (p pattern) String() string { return p.kind + ":" + p.name }

func (p pattern) matches(c Caller) bool {
	switch {
	case p.kind == group:
		return slices.ContainsFunc(c.Groups, func(name string) bool { return glob(p.name, name) })
	case p.kind == Actions:
		return c.Kind == Actions && glob(p.name, strings.ToLower(c.Name))
	}
	return p.kind == c.Kind && glob(p.name, c.Name)
}

// glob matches text against a pattern with *. It goes back only to the latest
// star, so its time is bounded by the product of the lengths.
func glob(pattern, text string) bool {
	p, t, star, mark := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && pattern[p] == text[t]:
			p, t = p+1, t+1
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// Decision is what a policy says to a request.
type Decision struct {
	Allowed bool
	// Rule is the name of the rule that allows, Line where it stands, and
	// Reason what it is for. Empty where nothing allows.
	Rule   string
	Line   int
	Reason string
	// Reuse is how old a token for the same request may be to be given again.
	Reuse time.Duration
	// Why is one sentence for a person.
	Why string
	// Steps is what each rule said, in order, up to the one that decided. Only
	// [Policy.Explain] fills it.
	Steps []Step
}

// Step is what one rule said to a request.
type Step struct {
	Rule    string
	Line    int
	Allowed bool
	Why     string
}

// decide says whether a caller may have what it asks for. One rule has to allow
// all of it.
func (p *Policy) decide(c Caller, a ask) Decision {
	why := "no rule allows this to " + c.who()
	for i := range p.rules {
		r := &p.rules[i]
		if !r.covers(c) || r.refusal(a) != "" {
			continue
		}
		missed := r.where.refusal(c)
		if missed == "" {
			return r.decision(c)
		}
		why += fmt.Sprintf("; of rule %q (line %d): %s", r.name, r.line, missed)
	}
	return Decision{Why: why}
}

// Explain is the same decision, with what each rule said.
func (p *Policy) Explain(c Caller, r Request) Decision {
	a, problem := r.check()
	if problem != nil {
		return Decision{Why: problem.Message}
	}
	decision := p.decide(c, a)
	for i := range p.rules {
		r := &p.rules[i]
		step := Step{Rule: r.name, Line: r.line, Why: cmp.Or(r.where.refusal(c), r.refusal(a))}
		if !r.covers(c) {
			step.Why = "it does not name " + c.who()
		}
		if step.Allowed = step.Why == ""; step.Allowed {
			step.Why = "it allows all of it"
		}
		decision.Steps = append(decision.Steps, step)
		if step.Allowed {
			break
		}
	}
	return decision
}

func (r *rule) decision(c Caller) Decision {
	return Decision{Allowed: true, Rule: r.name, Line: r.line, Reason: r.reason, Reuse: r.reuse,
		Why: fmt.Sprintf("rule %q (line %d) allows this to %s", r.name, r.line, c.who())}
}

func (r *rule) covers(c Caller) bool {
	return slices.ContainsFunc(r.callers, func(p pattern) bool { return p.matches(c) })
}

// refusal says why the rule does not allow what is asked, whoever asks; "": it
// allows it.
func (r *rule) refusal(a ask) string {
	owner := strings.ToLower(a.owner)
	for _, name := range a.names {
		if !r.includes(owner, strings.ToLower(name)) {
			return "it does not include " + a.owner + "/" + name
		}
	}
	return lacking(r.permissions, a.permissions)
}

// lacking says which of the permissions wanted is not had; "": none. Reading metadata
// comes with every token, and so with every other permission.
func lacking(have, want map[string]string) string {
	for name, level := range want {
		if !had(have, name, level) {
			return lackingFirst(have, want)
		}
	}
	return ""
}

func had(have map[string]string, name, level string) bool {
	return github.Covers(have[name], level) || (name == "metadata" && level == "read" && len(have) > 0)
}

// lackingFirst names the same one each time; it costs more than finding out
// that there is one.
func lackingFirst(have, want map[string]string) string {
	for _, name := range sortedKeys(want) {
		if !had(have, name, want[name]) {
			return "it does not allow " + name + ":" + want[name]
		}
	}
	return ""
}

// includes takes lower-case names.
func (r *rule) includes(owner, name string) bool {
	full := owner + "/" + name
	return (r.repositories[full] || r.owners[owner]) && !r.except[full]
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
