package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/ghscoped/ghscoped-service/internal/app"
)

// checkConfig reports every fault of the settings, or prints them as they came
// out, without secrets.
func checkConfig(_ context.Context, in invocation) int {
	cfg, code, ok := settings(in)
	if !ok {
		return code
	}
	if err := app.CheckBots(cfg.Bot); err != nil {
		fmt.Fprintf(in.stderr, "ghscoped-service: %v\n", err)
		return exitUsage
	}
	w := tabwriter.NewWriter(in.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SETTING\tVALUE\tFROM")
	for _, e := range cfg.Effective() {
		fmt.Fprintf(w, "%s\t%s\t%s\n", e.Name, e.Value, e.Source)
	}
	if err := w.Flush(); err != nil {
		return exitFault
	}
	return exitOK
}
