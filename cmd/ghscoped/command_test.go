package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// typed runs the program with nothing in its environment.
func typed(t *testing.T, args ...string) (exit int, stdout, stderr string) {
	t.Helper()
	folder := t.TempDir()
	out, err := os.Create(filepath.Join(folder, "out"))
	require.NoError(t, err)
	errs, err := os.Create(filepath.Join(folder, "err"))
	require.NoError(t, err)
	exit = run(t.Context(), invocation{args: args, getenv: func(string) string { return "" },
		stdin: strings.NewReader(""), stdout: out, stderr: errs, clock: time.Now})
	require.NoError(t, out.Close())
	require.NoError(t, errs.Close())
	said, err := os.ReadFile(out.Name())
	require.NoError(t, err)
	complained, err := os.ReadFile(errs.Name())
	require.NoError(t, err)
	return exit, string(said), string(complained)
}

func TestRun(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args           string
		exit           int
		stdout, stderr string // what each holds; empty: nothing
	}{
		"no command":                            {"ghscoped", exitUsage, "", "Usage:\n"},
		"help":                                  {"ghscoped help", exitOK, "Available Commands:\n", ""},
		"help of a command":                     {"ghscoped help login", exitOK, "ghscoped login [flags]", ""},
		"its version":                           {"ghscoped --version", exitOK, "ghscoped version ", ""},
		"a removed command":                     {"ghscoped version", exitUsage, "", "Use ghscoped --version."},
		"a misspelt command":                    {"ghscoped stauts", exitUsage, "", "ghscoped: unknown command \"stauts\"\n  Did you mean status?\n"},
		"a misspelt command with an option":     {"ghscoped stauts --json", exitUsage, "", "Did you mean status?"},
		"what is git's to do":                   {"ghscoped psuh", exitUsage, "", "Did you mean setup?"},
		"a misspelt command of a group":         {"ghscoped bot exce --repo o/r", exitUsage, "", "Did you mean exec?"},
		"a command like no other":               {"ghscoped nonsense", exitUsage, "", "See ghscoped --help."},
		"a group":                               {"ghscoped bot", exitUsage, "", "ghscoped bot [command]"},
		"an unknown option":                     {"ghscoped login --nothing", exitUsage, "", "ghscoped: unknown flag: --nothing\n  See ghscoped login --help.\n"},
		"an argument too many":                  {"ghscoped status now", exitUsage, "", "ghscoped: unexpected argument \"now\"\n"},
		"an argument too many, for programs":    {"ghscoped status now --json", exitUsage, `{"error":{"code":"usage",`, ""},
		"the completion of commands":            {"ghscoped __complete sta", exitOK, "status\t", "Completion ended"},
		"the script for completion":             {"ghscoped completion bash", exitOK, "__start_ghscoped", ""},
		"the options of another command":        {"ghscoped bot exec --repo o/r --permission contents:read make --version", exitFailed, "", "Nothing here says where the service"},
		"the alias":                             {"/usr/bin/gh-scoped-creds", exitFailed, "", "--client-id must be specified"},
		"git's question by the name":            {"/usr/bin/git-credential-ghscoped get", exitOK, "", ""},
		"git's question as a command":           {"ghscoped git-credential-ghscoped get", exitOK, "", ""},
		"what a later git may ask":              {"git-credential-ghscoped whatever-comes", exitOK, "", ""},
		"git's helper without a question":       {"git-credential-ghscoped", exitUsage, "", "git names an operation"},
		"the help of git's helper":              {"git-credential-ghscoped --help", exitOK, "{get|store|erase}", ""},
		"the helper of bot exec, outside of it": {"ghscoped git-credential-bot get", exitUsage, "", "inside of ghscoped bot exec"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			exit, stdout, stderr := typed(t, strings.Fields(test.args)...)
			require.Equal(t, test.exit, exit, stdout+stderr)
			requireSaid(t, test.stdout, stdout)
			requireSaid(t, test.stderr, stderr)
		})
	}
}

func requireSaid(t *testing.T, want, said string) {
	t.Helper()
	if want == "" {
		require.Empty(t, said)
	}
	require.Contains(t, said, want)
}

func TestNewRootDescribesEveryCommand(t *testing.T) {
	t.Parallel()
	var look func(*cobra.Command)
	look = func(cmd *cobra.Command) {
		if !cmd.Hidden {
			require.NotEmpty(t, cmd.Short, cmd.CommandPath())
			require.False(t, strings.HasSuffix(cmd.Short, "."), cmd.CommandPath())
		}
		for _, below := range cmd.Commands() {
			look(below)
		}
	}
	look(newRoot(invocation{}))
}
