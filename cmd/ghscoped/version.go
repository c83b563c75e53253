package main

import (
	"context"
	"flag"
	"fmt"

	"github.com/ghscoped/ghscoped-service/internal/release"
)

func version(*flag.FlagSet, invocation) runner {
	return func(_ context.Context, in invocation, positional []string) error {
		if err := noWords(positional); err != nil {
			return err
		}
		_, err := fmt.Fprintln(in.stdout, "ghscoped "+release.Version())
		return err
	}
}
