package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ghscoped/ghscoped-service/internal/app"
)

func newCheckConfig(in invocation) *cobra.Command {
	return &cobra.Command{
		Use:   "check-config",
		Short: "Report every error of the settings, or print them",
		Long: `Reports every error of the settings at once, or prints the settings with where
each came from, without secrets.

Exit codes: 0 no error; 2 errors.`,
		Args: atMost(0),
		RunE: in.checkConfig,
	}
}

func (in invocation) checkConfig(cmd *cobra.Command, _ []string) error {
	cfg, err := in.settings(cmd)
	if err != nil {
		return err
	}
	if err := app.CheckBots(cfg.Bot); err != nil {
		return err
	}
	w := tabwriter.NewWriter(in.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SETTING\tVALUE\tFROM")
	for _, e := range cfg.Effective() {
		fmt.Fprintf(w, "%s\t%s\t%s\n", e.Name, e.Value, e.Source)
	}
	if err := w.Flush(); err != nil {
		return &failure{exitFault, err}
	}
	return nil
}
