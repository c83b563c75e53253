package github

import "strings"

const (
	maxOwner = 39  // of an enterprise-managed user, with "_" and the enterprise's short code
	maxName  = 100 // of a repository
)

// ParseFullName cuts a repository's full name, OWNER/NAME; ok only where both can
// be names at GitHub.
func ParseFullName(fullName string) (owner, name string, ok bool) {
	owner, name, _ = strings.Cut(fullName, "/")
	return owner, name, IsOwner(owner) && IsName(name)
}

// RepositoryOfPath is the full name in a path as git has it: with or without
// ".git", perhaps with what is asked of the repository (git-lfs does so), and of
// a wiki the repository that it belongs to. It is empty where the path names none.
func RepositoryOfPath(path string) string {
	owner, rest, _ := strings.Cut(path, "/")
	name, _, _ := strings.Cut(rest, "/")
	full := owner + "/" + strings.TrimSuffix(strings.TrimSuffix(name, ".git"), ".wiki")
	if _, _, ok := ParseFullName(full); !ok {
		return ""
	}
	return full
}

// IsOwner reports whether a text can be the name of a user or an organization.
func IsOwner(s string) bool {
	return s != "" && len(s) <= maxOwner && s[0] != '-' && consistsOf(s, "-_")
}

// IsName reports whether a text can be the name of a repository. GitHub cuts
// ".git" off a name.
func IsName(s string) bool {
	return len(s) <= maxName && strings.Trim(s, ".") != "" && !strings.HasSuffix(s, ".git") && consistsOf(s, "-_.")
}

// consistsOf reports whether a text has only ASCII letters, digits and the marks.
func consistsOf(s, marks string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(marks, r))
	})
}
