package bot

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/spelling"
)

// MaxRepositories is how many repositories GitHub takes for one token.
const MaxRepositories = 500

// Kinds of callers.
const (
	Service = "service"
	User    = "user"
	group   = "group"
)

// Caller is who asks, as the Hub said it.
type Caller struct {
	Kind   string // Service or User
	Name   string
	Groups []string
}

// String is the form in which policies and the audit name a caller.
func (c Caller) String() string { return c.Kind + ":" + c.Name }

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

// permissions are the repository permissions of GitHub Apps with the levels
// that each can have. Those of organisations and accounts are left out on
// purpose: they reach beyond the repositories that a token is limited to.
var permissions = map[string][]string{
	"actions": readWrite, "administration": readWrite, "attestations": readWrite, "checks": readWrite,
	"codespaces": readWrite, "contents": readWrite, "dependabot_secrets": readWrite, "deployments": readWrite,
	"discussions": readWrite, "environments": readWrite, "issues": readWrite, "merge_queues": readWrite,
	"metadata": {"read"}, "packages": readWrite, "pages": readWrite, "pull_requests": readWrite,
	"repository_hooks": readWrite, "repository_projects": readWrite, "secret_scanning_alerts": readWrite,
	"secrets": readWrite, "security_events": readWrite, "statuses": readWrite,
	"vulnerability_alerts": readWrite, "workflows": {"write"},
}

var readWrite = []string{"read", "write"}

// covers reports whether a permission at level have includes level want.
func covers(have, want string) bool {
	return have == want || (have == "write" && want == "read")
}

// permissionProblem says what is wrong with a permission; "": nothing.
func permissionProblem(name, level string) string {
	levels, known := permissions[name]
	switch {
	case !known:
		problem := fmt.Sprintf("%.60q is no permission that a repository can give", name)
		if near := spelling.Nearest(name, sortedKeys(permissions)); near != "" {
			problem += " (did you mean " + near + "?)"
		}
		return problem
	case !slices.Contains(levels, level):
		return fmt.Sprintf("the permission %s can be %s, not %.60q", name, strings.Join(levels, " or "), level)
	}
	return ""
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
