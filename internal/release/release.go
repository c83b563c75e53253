// Package release says which version a program is.
//
// This package does not print the version; the commands do.
package release

import "runtime/debug"

// version is set by the linker (-X) where a program is built from an archive,
// as images are; a variable is all that a linker can set.
var version string

// Version is the tag, or the commit's pseudo-version with "+dirty" where the
// tree was changed, as the Go tool recorded it; "unknown" where nobody did.
func Version() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return info.Main.Version
}
