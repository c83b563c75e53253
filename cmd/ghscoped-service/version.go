package main

import (
	"context"
	"fmt"

	"github.com/ghscoped/ghscoped-service/internal/release"
)

func version(_ context.Context, in invocation) int {
	fmt.Fprintln(in.stdout, "ghscoped-service "+release.Version())
	return exitOK
}
