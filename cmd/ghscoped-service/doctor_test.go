package main

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/check"
)

func TestDoctorNamesEveryErrorOfTheSettings(t *testing.T) {
	t.Parallel()
	got := call(t.Context(), []string{"GHSCOPED_IDENTITY=strict"}, nil, nil, "doctor")
	require.Equal(t, exitFault, got.code)
	require.Contains(t, got.stdout, "fail  settings: Identity (environment GHSCOPED_IDENTITY): \"strict\" is not known.\n      ")
	require.Contains(t, got.stdout, "fail  settings: Client_id (not set): it is required.\n      ")
	require.Empty(t, got.stderr)

	var report check.Report
	got = call(t.Context(), nil, nil, nil, "doctor", "--json")
	require.Equal(t, exitFault, got.code)
	require.NoError(t, json.Unmarshal([]byte(got.stdout), &report))
	require.False(t, report.OK)
	require.Equal(t, "settings", report.Checks[0].Name)
}

func TestDoctorRefusesWrongOptions(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"flag needs an argument: --env-file": {"--env-file"},
		"--env-file: open none":              {"--env-file", "none"},
		"--env-file: open other none":        {"--json", "--env-file=other none"},
	} {
		got := call(t.Context(), nil, nil, nil, append([]string{"doctor"}, args...)...)
		require.Equal(t, exitUsage, got.code)
		require.Contains(t, got.stderr, want)
	}
}

func TestDoctorTakesVariablesFromAFileToo(t *testing.T) {
	t.Parallel()
	process := []string{"A=process", "B=process"}
	for name, test := range map[string]struct {
		content string
		want    []string
	}{
		"of systemd":      {"# comment\n; another\n\nA=file\nC=\"two words\"\nD='x'\nnothing\n", []string{"A=file", "C=two words", "D=x", "B=process"}},
		"of a process":    {"A=file\x00C=\"kept\"\x00", []string{"A=file", `C="kept"`, "B=process"}},
		"of nothing":      {"", process},
		"with line break": {"A=two\nlines\x00", []string{"A=two\nlines", "B=process"}},
	} {
		require.Equal(t, test.want, withEnvironment(process, []byte(test.content)), name)
	}
}

func TestDoctorColoursAreForTerminals(t *testing.T) {
	t.Parallel()
	var pipe bytes.Buffer
	require.False(t, invocation{stdout: &pipe}.coloured())
	run(context.Background(), invocation{args: []string{"doctor"}, stdout: &pipe})
	require.NotContains(t, pipe.String(), "\x1b")
}
