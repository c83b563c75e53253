package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ghscoped/ghscoped-service/internal/app"
	"github.com/ghscoped/ghscoped-service/internal/check"
	"github.com/ghscoped/ghscoped-service/internal/config"
	"github.com/ghscoped/ghscoped-service/internal/doctor"
	"github.com/ghscoped/ghscoped-service/internal/store/redis"
)

const doctorUsage = `Usage: ghscoped-service doctor [-json] [-env-file FILE] [settings]

Checks everything the service depends on (settings, key file, store, Hub, the
way to users' servers, GitHub, the App, the clock) and says how to fix what is
broken. It changes nothing.

  -json      one JSON object instead of lines
  -env-file  read the variables of this file too: an EnvironmentFile of systemd,
             or /proc/PID/environ of the running service

It takes the settings of the service, too; see ghscoped-service help.
Exit codes: 0 nothing failed; 1 something did; 2 the command line.
`

// diagnose makes every check.
func diagnose(ctx context.Context, in invocation) int {
	return in.report("doctor", doctorUsage, func(in invocation) (int, error) { return in.diagnose(ctx) })
}

func (in invocation) diagnose(ctx context.Context) (int, error) {
	asJSON, in, err := in.doctorFlags()
	if err != nil {
		return exitUsage, err
	}
	cfg, err := config.Load(in.args, in.environ, in.readFile)
	var faults config.Faults
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitUsage, err
	case errors.As(err, &faults):
		return in.tell(doctor.OfSettings(faults), asJSON), nil
	case err != nil:
		return exitUsage, err
	}
	quiet := slog.New(slog.DiscardHandler) // each check says itself what is wrong
	redis.LogTo(quiet)
	d, err := app.NewDoctor(cfg, app.Dependencies{
		Logger: quiet, Clock: time.Now, HTTP: direct(), GitHub: proxied(), Registry: prometheus.NewRegistry(),
	}, opsURL(cfg.Service, "readyz"))
	if err != nil {
		return exitFault, err
	}
	tell := in.line
	if asJSON {
		tell = func(check.Result) {}
	}
	results := d.Run(ctx, tell)
	if asJSON {
		return in.tell(results, true), nil
	}
	return verdict(check.NewReport(results)), nil
}

// tell writes results that are all known already.
func (in invocation) tell(results []check.Result, asJSON bool) int {
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

func verdict(report check.Report) int {
	if report.OK {
		return exitOK
	}
	return exitFault
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

// doctorFlags takes the doctor's own flags, which come first, off the command
// line; what is left are settings.
func (in invocation) doctorFlags() (asJSON bool, rest invocation, err error) {
	for len(in.args) > 0 {
		name, value, joined := cutFlag(in.args[0])
		switch {
		case name == "json" && !joined:
			asJSON = true
		case name == "env-file":
			if !joined {
				if len(in.args) < 2 {
					return false, in, errors.New("-env-file needs a file")
				}
				in.args = in.args[1:]
				value = in.args[0]
			}
			content, err := in.readFile(value)
			if err != nil {
				return false, in, fmt.Errorf("-env-file: %w", err)
			}
			in.environ = withEnvironment(in.environ, content)
		default:
			return asJSON, in, nil
		}
		in.args = in.args[1:]
	}
	return asJSON, in, nil
}
