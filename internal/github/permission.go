package github

import "slices"

// Covers reports whether a permission at level have ("": none) includes level want. What
// is no level is included by nothing.
func Covers(have, want string) bool {
	levels := []string{"read", "write", "admin"} // each includes those before it
	least := slices.Index(levels, want)
	return least >= 0 && slices.Index(levels, have) >= least
}
