package check_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/check"
)

func TestResultWriteText(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		result   check.Result
		coloured bool
		want     string
	}{
		"one line":              {check.Result{Name: "clock", State: check.OK, Message: "It agrees."}, false, "ok    clock: It agrees.\n"},
		"with what to do":       {check.Result{Name: "git", State: check.Warn, Message: "Old.", Fix: "Update it."}, false, "warn  git: Old.\n      Update it.\n"},
		"with colours":          {check.Result{Name: "clock", State: check.OK, Message: "It agrees."}, true, "\x1b[32mok  \x1b[0m  clock: It agrees.\n"},
		"what a terminal obeys": {check.Result{Name: "proxy", State: check.Fail, Message: "It says \x1b[2J\nnothing.", Fix: "Ask\rit."}, false, "fail  proxy: It says  [2J nothing.\n      Ask it.\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			require.NoError(t, test.result.WriteText(&out, test.coloured))
			require.Equal(t, test.want, out.String())
		})
	}
}

func TestReportIsOKUnlessACheckFailed(t *testing.T) {
	t.Parallel()
	good := []check.Result{check.Passed(""), check.Warned("", ""), check.Skipped("")}
	require.True(t, check.NewReport(good).OK)
	require.False(t, check.NewReport(append(good, check.Failed("", ""))).OK)
}

func TestReportWriteJSON(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	report := check.NewReport([]check.Result{
		{Name: "git", State: check.OK, Message: "git version 2.39.5"},
		{Name: "hub", State: check.Fail, Message: "It does not answer.", Fix: "Start it."},
	})
	require.NoError(t, report.WriteJSON(&out))
	require.Equal(t, `{"ok":false,"checks":[{"name":"git","state":"ok","message":"git version 2.39.5"},`+
		`{"name":"hub","state":"fail","message":"It does not answer.","fix":"Start it."}]}`+"\n", out.String())
}
