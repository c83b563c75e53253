package bot

import (
	"slices"
	"strings"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/github"
)

// RuleDescription is a rule of a policy for people to read. Names of repositories, and
// of those whose workflows call, are in lower case, as they are compared.
type RuleDescription struct {
	Name, Reason string
	// Line is where the rule begins in its file.
	Line    int
	Callers []string
	// Where is what the claims of a workload have to be.
	Where []Condition
	// Repositories are OWNER/NAME, or OWNER/* for all but Except.
	Repositories, Except []string
	// Permissions are as in contents:write.
	Permissions []string
	// Reuse is how old a token may be to be given again; 0: none is.
	Reuse time.Duration
}

// Condition is a claim, and the texts of which it has to be one.
type Condition struct {
	Claim string
	Texts []string
}

// Rules describes the rules in their order. What is returned is the caller's own.
func (p *Policy) Rules() []RuleDescription {
	all := make([]RuleDescription, len(p.rules))
	for i := range p.rules {
		all[i] = p.rules[i].describe()
	}
	return all
}

func (r *rule) describe() RuleDescription {
	d := RuleDescription{Name: r.name, Reason: r.reason, Line: r.line, Reuse: r.reuse,
		Repositories: sortedKeys(r.repositories), Except: sortedKeys(r.except), Permissions: github.ListPermissions(r.permissions)}
	for _, p := range r.callers {
		d.Callers = append(d.Callers, p.String())
	}
	for _, claim := range sortedKeys(r.where) {
		d.Where = append(d.Where, Condition{claim, slices.Clone(r.where[claim])})
	}
	for owner := range r.owners {
		d.Repositories = append(d.Repositories, owner+"/*")
	}
	slices.Sort(d.Repositories)
	return d
}

// NameOf is a caller as policies name it, from the form in which the audit names it:
// without what tells the workloads of one name apart. person reports whether it is a
// user of the Hub.
func NameOf(caller string) (name string, person bool) {
	kind, _, _ := strings.Cut(caller, ":")
	if IsWorkload(kind) {
		caller, _, _ = strings.Cut(caller, "#")
	}
	return caller, kind == User
}
