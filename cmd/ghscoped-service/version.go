package main

import (
	"context"
	"fmt"

	"github.com/ghscoped/ghscoped-service/internal/release"
)

const versionUsage = `Usage: ghscoped-service version

Prints the version.
`

func version(_ context.Context, in invocation) int {
	return in.report("version", versionUsage, func(in invocation) (int, error) {
		set := quietFlags("version")
		if err := set.Parse(in.args); err != nil {
			return 0, err
		}
		if set.NArg() > 0 {
			return 0, fmt.Errorf("there is no use for %q", set.Arg(0))
		}
		_, err := fmt.Fprintln(in.stdout, "ghscoped-service "+release.Version())
		return exitOK, err
	})
}
