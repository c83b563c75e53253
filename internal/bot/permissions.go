package bot

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/ghscoped/ghscoped-service/internal/spelling"
)

// permissions are repository permissions of GitHub Apps with the levels that each can
// have. GitHub adds to them without notice, so that one of another name is left to
// GitHub, and only doubted where somebody can still correct it.
var permissions = map[string][]string{
	"actions": readWrite, "actions_variables": readWrite, "administration": readWrite, "artifact_metadata": readWrite,
	"attestations": readWrite, "checks": readWrite, "codespaces": readWrite, "codespaces_lifecycle_admin": readWrite,
	"codespaces_metadata": {"read"}, "codespaces_secrets": {"write"}, "contents": readWrite, "dependabot_secrets": readWrite,
	"deployments": readWrite, "discussions": readWrite, "environments": readWrite, "issues": readWrite, "merge_queues": readWrite,
	"metadata": {"read"}, "packages": readWrite, "pages": readWrite, "pull_requests": readWrite,
	"repository_advisories": readWrite, "repository_custom_properties": readWrite, "repository_hooks": readWrite,
	"repository_projects": {"read", "write", "admin"}, "secret_scanning_alerts": readWrite,
	"secrets": readWrite, "security_events": readWrite, "single_file": readWrite, "statuses": readWrite,
	"vulnerability_alerts": readWrite, "workflows": {"write"},
}

var readWrite = []string{"read", "write"}

var levels = []string{"read", "write", "admin"}

// What permissions are called, and those of organisations and accounts, which are
// refused: they reach beyond the repositories that a token is limited to.
var (
	permissionNames = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)
	beyond          = regexp.MustCompile(`^(organization_.*|enterprise_.*|.*_for_organizations|members|team_discussions|blocking|` +
		`email_addresses|emails|followers|git_ssh_keys|ssh_signing_keys|gpg_keys|interaction_limits|plan|profile|starring|watching|gists)$`)
)

// permissionProblem says what is wrong with a permission; "": nothing.
func permissionProblem(name, level string) string {
	known, found := permissions[name]
	switch {
	case !permissionNames.MatchString(name) || beyond.MatchString(name):
		return fmt.Sprintf("%.60q is no permission that a repository can give%s", name, didYouMean(name))
	case !found:
		known = levels
	}
	if !slices.Contains(known, level) {
		return fmt.Sprintf("the permission %s can be %s, not %.60q", name, strings.Join(known, " or "), level)
	}
	return ""
}

// permissionDoubt says why a permission may be a mistake though it is none by
// [permissionProblem]; "": it is known.
func permissionDoubt(name string) string {
	if _, known := permissions[name]; known {
		return ""
	}
	return fmt.Sprintf("%q is no permission that this release knows%s; GitHub decides when a token is asked for", name, didYouMean(name))
}

func didYouMean(name string) string {
	if near := spelling.Nearest(name, sortedKeys(permissions)); near != "" {
		return " (did you mean " + near + "?)"
	}
	return ""
}
