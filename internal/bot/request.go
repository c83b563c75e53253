package bot

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/github"
)

// MaxRepositories is how many repositories GitHub takes for one token.
const MaxRepositories = 500

// Kinds of callers.
const (
	Service = "service"
	User    = "user"
	group   = "group"
)

// Caller is who asks, as the Hub, or the issuer of a workload's identity token, said
// it.
type Caller struct {
	Kind   string // Service or User; Actions, Kubernetes or OIDC
	Name   string
	Groups []string
	// Claims are what a workload's token says.
	Claims map[string]string
	// Part is what tells workloads of one name apart, such as a workflow's runs: each
	// has tokens of its own, which the others do not see.
	Part string
}

// String is the form in which the audit names a caller, and its tokens their holder.
func (c Caller) String() string {
	if c.Part == "" {
		return c.who()
	}
	return c.who() + "#" + c.Part
}

// who is the caller as policies name it.
func (c Caller) who() string { return c.Kind + ":" + c.Name }

// Request is what is asked for: full names of repositories, and permissions by
// name to "read" or "write".
type Request struct {
	Repositories []string
	Permissions  map[string]string
	// Exclusive asks for a token that nobody else gets, whatever the rule says of
	// reuse: whoever revokes it at the end of a job ends no other job.
	Exclusive bool
	// Fresh asks for a new token, whatever the rule says of reuse.
	Fresh bool
}

// ask is a request that has been checked: one owner, sorted names.
type ask struct {
	owner       string
	names       []string // without the owner
	permissions map[string]string
	exclusive   bool
	fresh       bool
}

func (a ask) fullNames() []string {
	full := make([]string, len(a.names))
	for i, name := range a.names {
		full[i] = a.owner + "/" + name
	}
	return full
}

// check turns a request into an ask, or says what is wrong with it.
func (r Request) check() (ask, *apierror.Error) {
	a := ask{permissions: r.Permissions, exclusive: r.Exclusive, fresh: r.Fresh}
	switch {
	case len(r.Repositories) == 0:
		return a, invalid(apierror.CodeRepositoriesMissing, "No repository is named.", "A bot token is always for named repositories.")
	case len(r.Repositories) > MaxRepositories:
		return a, invalid(apierror.CodeTooManyRepositories, fmt.Sprintf("%d repositories are named.", len(r.Repositories)),
			fmt.Sprintf("GitHub takes at most %d for one token.", MaxRepositories))
	case len(r.Permissions) == 0:
		return a, invalid(apierror.CodePermissionsMissing, "No permission is named.", "A bot token is always for named permissions.")
	}
	for _, name := range sortedKeys(r.Permissions) {
		if problem := permissionProblem(name, r.Permissions[name]); problem != "" {
			return a, invalid(apierror.CodePermissionInvalid, "This permission cannot be given: "+problem+".",
				"ghscoped-service policy schema lists the permissions with their levels.")
		}
	}
	for _, full := range r.Repositories {
		owner, name, ok := github.ParseFullName(full)
		if !ok {
			return a, invalid(apierror.CodeRepositoryInvalid, fmt.Sprintf("%.120q names no single repository.", full), "Write OWNER/NAME, without a pattern.")
		}
		if a.owner == "" {
			a.owner = owner
		}
		if !strings.EqualFold(a.owner, owner) {
			return a, invalid(apierror.CodeSeveralOwners, "The repositories belong to several owners.",
				"GitHub gives a token for the repositories of one owner: ask once for each.")
		}
		a.names = append(a.names, name)
	}
	slices.SortFunc(a.names, func(x, y string) int { return strings.Compare(strings.ToLower(x), strings.ToLower(y)) })
	a.names = slices.CompactFunc(a.names, strings.EqualFold)
	return a, nil
}

func invalid(code, message, hint string) *apierror.Error {
	return &apierror.Error{Code: code, Message: message, Hint: hint}
}
