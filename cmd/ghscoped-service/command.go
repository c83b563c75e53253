package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ghscoped/ghscoped-service/internal/app"
	"github.com/ghscoped/ghscoped-service/internal/config"
	"github.com/ghscoped/ghscoped-service/internal/release"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// Exit codes.
const (
	exitOK    = 0
	exitFault = 1
	exitUsage = 2 // the settings or the command line
)

const program = "ghscoped-service"

// invocation is everything of the process that a command sees.
type invocation struct {
	args, environ  []string
	readFile       config.ReadFile
	stdin          io.Reader
	stdout, stderr io.Writer
	build          func(config.Config, app.Dependencies) (service, error)
}

// service is what serve runs.
type service interface {
	Start(ctx context.Context) error
	Addr() net.Addr
	Failed() <-chan error
	Stop(ctx context.Context) error
}

// failure ends the program with a code of its own; any other error is one of
// the command line. A failure without an error has been shown.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string { return fmt.Sprintf("exit code %d: %v", f.code, f.err) }

// run runs the command that args name, and says how it failed.
func run(ctx context.Context, in invocation) int {
	root := newRoot(in)
	root.SetArgs(slices.Clip(append([]string{}, in.args...))) // never nil, for which cobra takes os.Args
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	code := exitUsage
	if failed, ok := errors.AsType[*failure](err); ok {
		code, err = failed.code, failed.err
	} else {
		err = in.usageError(err)
	}
	if err != nil {
		fmt.Fprintf(in.stderr, "%s: %s\n", program, secret.Scrub(err.Error()))
	}
	return code
}

// newRoot builds all commands. The service runs where none is named.
func newRoot(in invocation) *cobra.Command {
	root := &cobra.Command{
		Use:   program,
		Short: "Connect JupyterHub users' servers to GitHub",
		Long: `ghscoped-service is the JupyterHub service "Connect GitHub". Without a command
it runs the service.

Settings are environment variables, or keys of a YAML file; 'ghscoped-service
help settings' lists them.

Exit codes: 0 done; 2 the settings or the command line are wrong; 1 anything
else.`,
		Version:       release.Version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          in.serve,
	}
	root.SetIn(in.stdin)
	root.SetOut(in.stdout)
	root.SetErr(in.stderr)
	root.PersistentFlags().String("config", "", "YAML `file` of settings; also GHSCOPED_CONFIG")

	root.AddCommand(newServe(in), newCheckConfig(in), newHealthcheck(in), newDoctor(in), newUser(in),
		newPolicy(in), newInstall(in), newCreateApp(in), newKeys(in), newSettings())
	root.AddCommand(removedCommands()...)
	return root
}

// asGroup has a command that only holds others refuse words that name none of
// them.
func asGroup(cmd *cobra.Command) *cobra.Command {
	cmd.Args = cobra.ArbitraryArgs
	cmd.SuggestionsMinimumDistance = 2
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			cmd.PrintErr(cmd.UsageString())
			return &failure{code: exitUsage}
		}
		hint := "see " + cmd.CommandPath() + " --help"
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			hint = "did you mean " + strings.Join(near, " or ") + "?"
		}
		return fmt.Errorf("unknown command %q for %q; %s", secret.Scrub(args[0]), cmd.CommandPath(), hint)
	}
	return cmd
}

// atMost refuses arguments beyond the first n.
func atMost(n int) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > n {
			return fmt.Errorf("unexpected argument %q", secret.Scrub(args[n]))
		}
		return nil
	}
}

// newSettings is a topic of the help.
func newSettings() *cobra.Command {
	var text strings.Builder
	_ = config.WriteHelp(&text) // a builder takes everything
	return &cobra.Command{Use: "settings", Short: "The settings of the service", Long: strings.TrimSpace(text.String())}
}

// removedCommands refuse what earlier releases had, for one release.
func removedCommands() []*cobra.Command {
	var all []*cobra.Command
	for name, instead := range map[string]string{
		"audit":   "use jq on the service's standard output (docs/admins.md, \"The audit\")",
		"store":   "the service checks its file when it starts; 'ghscoped-service doctor' says whether the store works",
		"version": "use ghscoped-service --version",
	} {
		all = append(all, removed(name, "the command "+name+" was removed: "+instead))
	}
	return all
}

func removed(name, message string) *cobra.Command {
	return &cobra.Command{Use: name, Hidden: true, DisableFlagParsing: true,
		RunE: func(*cobra.Command, []string) error { return errors.New(message) }}
}

// oneDash is an option as earlier releases had them.
var oneDash = regexp.MustCompile(`^-([a-z][a-z-]+)(=|$)`)

// usageError says what to write instead of an option of earlier releases: settings
// were options, and options had one dash.
func (in invocation) usageError(err error) error {
	names := []string{}
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok && unknown.GetSpecifiedShortnames() == "" {
		names = append(names, unknown.GetSpecifiedName())
	}
	for _, arg := range in.args {
		if match := oneDash.FindStringSubmatch(arg); match != nil {
			names = append(names, match[1])
		}
	}
	for _, name := range names {
		if instead, found := config.Instead(name); found {
			return fmt.Errorf("settings are no options any more: --%s: %s", name, instead)
		}
	}
	if _, ok := errors.AsType[*pflag.NotExistError](err); ok && len(names) > 0 && !strings.Contains(err.Error(), "--") {
		return fmt.Errorf("options begin with two dashes: write --%s", names[0])
	}
	return err
}

// settings loads the configuration; its error names everything that is wrong.
func (in invocation) settings(cmd *cobra.Command) (config.Config, error) {
	path, _ := cmd.Flags().GetString("config") // every command has it
	return config.Load(path, in.environ, in.readFile)
}
