package github

import "strings"

// IsRepository reports whether a text can be OWNER/NAME.
func IsRepository(fullName string) bool {
	owner, name, _ := strings.Cut(fullName, "/")
	return IsName(owner) && IsName(name)
}

// IsName reports whether a name can be one part of an address.
func IsName(name string) bool {
	odd := func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._-", r))
	}
	return name != "" && strings.Trim(name, ".") != "" && !strings.ContainsFunc(name, odd)
}
