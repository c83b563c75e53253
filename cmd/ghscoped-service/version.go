package main

import (
	"context"
	"fmt"
	"runtime/debug"
)

func version(_ context.Context, in invocation) int {
	fmt.Fprintln(in.stdout, "ghscoped-service "+buildVersion())
	return exitOK
}

// buildVersion is what the Go tool recorded: the tag, or the commit's
// pseudo-version, with "+dirty" where the tree was changed.
func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return info.Main.Version
}
