package bot

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/github"
)

// Schema is the JSON schema of a policy, for editors and for people; it is made
// from policyFormat. What it cannot say (a name given twice, a rule that can never
// decide) only [ParsePolicy] finds.
//
//go:embed policy.schema.json
var Schema []byte

const maxPolicy = 1 << 20

// policyFormat is a policy as its file has it.
type policyFormat struct {
	Version int              `yaml:"version"`
	Rules   []at[ruleFormat] `yaml:"rules"`
}

// ruleFormat is a rule as its file has it.
type ruleFormat struct {
	Name         ruleName        `yaml:"name" doc:"Names the rule in the audit; each name once."`
	Reason       string          `yaml:"reason" doc:"What the rule is for."`
	Callers      []caller        `yaml:"callers" doc:"Hub services, users and groups, workflows of a repository, service accounts of the cluster, or an issuer; * stands for any run of characters in the name."`
	Where        conditions      `yaml:"where,omitempty" doc:"What claims of a workload's identity token must be: one text or several, * stands for any run of characters."`
	Repositories []repository    `yaml:"repositories" doc:"OWNER/NAME, or OWNER/* for all repositories of an owner."`
	Except       []at[exception] `yaml:"except,omitempty" doc:"Repositories that OWNER/* does not include."`
	Permissions  grants          `yaml:"permissions" doc:"Repository permissions of the App; write includes read."`
	Reuse        reuse           `yaml:"reuse,omitempty" doc:"How old a token for the same caller and request may be to be given again, 1m to 50m. Without it, each request gets a new token."`
}

func (ruleFormat) what() string { return "a rule" }

// The texts of a policy, each of its own form.
type (
	ruleName   string
	caller     string
	repository string // OWNER/NAME or OWNER/*
	exception  string // OWNER/NAME
	reuse      string // leaves a token ten minutes of its hour
	grants     map[string]string
)

// What the texts look like; Go and JSON schema read these expressions alike.
var (
	// It can stand in a log, a list and a sentence as it is.
	ruleNames = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	// The Hub could have a service, user or group of that name, GitHub a repository, a
	// cluster a service account.
	callerNames = regexp.MustCompile(`^(service|user|group):[^ :](.{0,253}[^ ])?$|` +
		`^actions:[A-Za-z0-9_][A-Za-z0-9_-]{0,38}/[A-Za-z0-9._*-]{1,100}$|` +
		`^kubernetes:[a-z0-9][a-z0-9-]{0,62}/[a-z0-9*][a-z0-9.*-]{0,252}$|` +
		`^oidc:https://[A-Za-z0-9][A-Za-z0-9.:-]{0,252}(/[A-Za-z0-9._~/-]{0,500})?$`)
	// As far as an expression can say what github.ParseFullName takes: a name is not
	// only dots.
	repositoryNames = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]{0,38}/([A-Za-z0-9._-]{0,99}[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}|\*)$`)
	exceptionNames  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]{0,38}/[A-Za-z0-9._-]{0,99}[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$`)
	reuseTimes      = regexp.MustCompile(`^([1-9]|[1-4][0-9]|50)m$`)
)

func (ruleName) form() form {
	return form{what: "the name", pattern: ruleNames, must: "1 to 64 letters, digits, dots, dashes and underscores"}
}

func (caller) form() form {
	return form{what: "the caller", pattern: callerNames, valid: canCall,
		must: "service:NAME, user:NAME, group:NAME, actions:OWNER/NAME, kubernetes:NAMESPACE/NAME or oidc:ISSUER; the Hub's names of users have no capitals"}
}

// canCall: JupyterHub keeps names of users in small letters.
func canCall(text string) bool {
	return !strings.HasPrefix(text, User+":") || text == strings.ToLower(text)
}

func (repository) form() form {
	return form{what: "the repository", pattern: repositoryNames, valid: isRepositoryOrAll,
		must: "OWNER/NAME or OWNER/*; a * is allowed nowhere else", fold: true}
}

func (exception) form() form {
	return form{what: "the exception", pattern: exceptionNames, valid: isRepository,
		must: "OWNER/NAME, without a pattern", fold: true}
}

func (reuse) form() form {
	return form{what: "reuse", pattern: reuseTimes, must: "1m to 50m: a token lives an hour"}
}

func isRepository(full string) bool {
	_, _, ok := github.ParseFullName(full)
	return ok
}

// isRepositoryOrAll is for what repositoryNames matches, so the owner is one.
func isRepositoryOrAll(full string) bool {
	return strings.HasSuffix(full, "/*") || isRepository(full)
}

// ParsePolicy reads a policy. The error is [Problems]: everything wrong with
// it, each with its line.
func ParsePolicy(data []byte) (*Policy, error) {
	r := &reader{}
	p := r.policy(data)
	if err := r.err(); err != nil {
		return nil, err
	}
	r.idle(p)
	if err := r.err(); err != nil {
		return nil, err
	}
	p.Doubts = r.doubts
	return p, nil
}

func (r *reader) policy(data []byte) *Policy {
	var format policyFormat
	r.read(data, maxPolicy, "the policy", &format)
	p := &Policy{}
	lines := map[string]int{}
	for _, item := range format.Rules {
		one := r.rule(item)
		if first, twice := lines[one.name]; twice && one.name != "" {
			r.problem(item.Line, "the name %q is that of the rule in line %d already", one.name, first)
		}
		lines[one.name] = one.line
		p.rules = append(p.rules, one)
	}
	return p
}

// rule is what a rule says, once its form is good.
func (r *reader) rule(item at[ruleFormat]) rule {
	format := item.Value
	one := rule{
		name: string(format.Name), line: item.Line, reason: format.Reason,
		callers: patterns(format.Callers), where: format.Where, named: map[pattern]bool{}, permissions: format.Permissions,
		repositories: map[string]bool{}, owners: map[string]bool{}, except: map[string]bool{},
	}
	for _, p := range one.callers {
		one.named[p] = true
	}
	one.reuse, _ = time.ParseDuration(string(format.Reuse)) // 0 where there is none
	for _, full := range format.Repositories {
		full := strings.ToLower(string(full))
		if owner, all := strings.CutSuffix(full, "/*"); all {
			one.owners[owner] = true
		} else {
			one.repositories[full] = true
		}
	}
	for _, full := range format.Except {
		one.except[strings.ToLower(string(full.Value))] = true
	}
	r.exceptions(one, format.Except)
	r.workloads(one.line, one.callers, one.where)
	return one
}

func patterns(callers []caller) []pattern {
	var all []pattern
	for _, text := range callers {
		kind, name, _ := strings.Cut(string(text), ":")
		if kind == Actions {
			name = strings.ToLower(name)
		}
		all = append(all, pattern{kind, name})
	}
	return all
}

// exceptions checks that each exception takes something away, from what was
// given owner-wide: one that does not is a mistake in a name.
func (r *reader) exceptions(one rule, exceptions []at[exception]) {
	for _, item := range exceptions {
		full := strings.ToLower(string(item.Value))
		owner, _, _ := strings.Cut(full, "/")
		switch {
		case one.repositories[full]:
			r.problem(item.Line, "%q is named in repositories and in except: it can never match", full)
		case !one.owners[owner]:
			r.problem(item.Line, "%q excludes nothing: repositories has no %s/*", full, owner)
		}
	}
}

// idle reports rules that can never decide, because an earlier one allows all
// that they allow. Only rules with one of its repositories can be such.
func (r *reader) idle(p *Policy) {
	including := map[string][]*rule{} // by OWNER/NAME, and OWNER/*
	for i := range p.rules {
		later := &p.rules[i]
		for _, earlier := range later.maybeWithin(including) {
			if later.within(earlier) {
				r.problem(later.line, "rule %q can never match: rule %q in line %d allows all of it already", later.name, earlier.name, earlier.line)
				break
			}
		}
		for full := range later.repositories {
			including[full] = append(including[full], later)
		}
		for owner := range later.owners {
			including[owner+"/*"] = append(including[owner+"/*"], later)
		}
	}
}

// maybeWithin are the rules that include one of r's repositories, of which there is
// always one.
func (r *rule) maybeWithin(including map[string][]*rule) []*rule {
	for full := range r.repositories {
		owner, _, _ := strings.Cut(full, "/")
		return slices.Concat(including[full], including[owner+"/*"])
	}
	for owner := range r.owners {
		return including[owner+"/*"]
	}
	return nil
}

// within reports whether every request that r allows is allowed by other. What costs
// least comes first.
func (r *rule) within(other *rule) bool {
	if lacking(other.permissions, r.permissions) != "" {
		return false
	}
	for full := range r.repositories {
		if owner, name, _ := strings.Cut(full, "/"); !other.includes(owner, name) {
			return false
		}
	}
	for owner := range r.owners {
		if !other.owners[owner] {
			return false
		}
	}
	for full := range other.except {
		if owner, name, _ := strings.Cut(full, "/"); r.includes(owner, name) {
			return false
		}
	}
	return r.where.within(other.where) && !slices.ContainsFunc(r.callers, func(p pattern) bool { return !other.coversPattern(p) })
}

// coversPattern reports whether everyone whom p names is named by r. A pattern
// is compared as a text: its stars are matched by stars only, which finds most
// cases and never one too many.
func (r *rule) coversPattern(p pattern) bool {
	return r.named[p] || slices.ContainsFunc(r.callers, func(q pattern) bool {
		return q.kind == p.kind && strings.Contains(q.name, "*") && glob(q.name, p.name)
	})
}

// String describes a policy in a log line.
func (p *Policy) String() string { return fmt.Sprintf("a policy of %d rules", len(p.rules)) }
