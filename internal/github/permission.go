package github

import (
	"maps"
	"slices"
)

// ListPermissions are permissions for people, each as in contents:write, in the order
// of their names.
func ListPermissions(permissions map[string]string) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(permissions)) {
		all = append(all, name+":"+permissions[name])
	}
	return all
}

// Covers reports whether a permission at level have ("": none) includes level want. What
// is no level is included by nothing.
func Covers(have, want string) bool {
	levels := []string{"read", "write", "admin"} // each includes those before it
	least := slices.Index(levels, want)
	return least >= 0 && slices.Index(levels, have) >= least
}
