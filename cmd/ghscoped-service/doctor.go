package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/ghscoped/ghscoped-service/internal/app"
	"github.com/ghscoped/ghscoped-service/internal/check"
	"github.com/ghscoped/ghscoped-service/internal/config"
	"github.com/ghscoped/ghscoped-service/internal/doctor"
	"github.com/ghscoped/ghscoped-service/internal/store/redis"
)

func newDoctor(in invocation) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check everything the service depends on",
		Long: `Checks everything the service depends on (settings, key file, store, Hub, the
way to users' servers, GitHub, the App, the clock) and says what to change. It
changes nothing.

Exit codes: 0 nothing failed; 1 something did; 2 the command line.`,
		Args: atMost(0),
	}
	asJSON := cmd.Flags().Bool("json", false, "print one JSON object, for programs")
	file := cmd.Flags().String("env-file", "", "read the variables of this `file` too: an EnvironmentFile of systemd, or\n/proc/PID/environ of the running service")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *file != "" {
			content, err := in.readFile(*file)
			if err != nil {
				return fmt.Errorf("--env-file: %w", err)
			}
			in.environ = withEnvironment(in.environ, content)
		}
		return in.diagnose(cmd, *asJSON)
	}
	return cmd
}

func (in invocation) diagnose(cmd *cobra.Command, asJSON bool) error {
	cfg, err := in.settings(cmd)
	if errs, ok := errors.AsType[config.Errors](err); ok {
		return in.tell(doctor.OfSettings(errs), asJSON)
	}
	if err != nil {
		return err
	}
	quiet := slog.New(slog.DiscardHandler) // each check says itself what is wrong
	redis.LogTo(quiet)
	d, err := app.NewDoctor(cfg, app.Dependencies{
		Logger: quiet, Clock: time.Now, HTTP: direct(), GitHub: proxied(), Issuers: proxiedTo, Registry: prometheus.NewRegistry(),
	}, opsURL(cfg.Service, "readyz"))
	if err != nil {
		return &failure{exitFault, err}
	}
	tell := in.line
	if asJSON {
		tell = func(check.Result) {}
	}
	results := d.Run(cmd.Context(), tell)
	if asJSON {
		return in.tell(results, true)
	}
	return verdict(check.NewReport(results))
}

// tell writes results that are all known already.
func (in invocation) tell(results []check.Result, asJSON bool) error {
	report := check.NewReport(results)
	if asJSON {
		_ = report.WriteJSON(in.stdout) // nobody is left to hear of it
		return verdict(report)
	}
	for _, result := range results {
		in.line(result)
	}
	return verdict(report)
}

func (in invocation) line(r check.Result) { _ = r.WriteText(in.stdout, in.coloured()) }

func verdict(report check.Report) error {
	if report.OK {
		return nil
	}
	return &failure{code: exitFault}
}

// coloured: only a terminal, and only where nobody asked for none
// (no-color.org).
func (in invocation) coloured() bool {
	file, isFile := in.stdout.(*os.File)
	if !isFile || variable(in.environ, "NO_COLOR") != "" || variable(in.environ, "TERM") == "dumb" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
