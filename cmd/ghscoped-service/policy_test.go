package main

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/bot"
)

const goodPolicy = `version: 1
rules:
  - name: nightly
    reason: The nightly job refreshes the course material.
    callers: [service:nbbot]
    repositories: [octo-org/*]
    except: [octo-org/secrets]
    permissions: {contents: write}
    reuse: 30m
  - name: teachers
    reason: People who teach.
    callers: [group:teachers]
    repositories: [octo-org/course]
    permissions: {issues: write}
`

const badPolicy = `version: 1
rules:
  - name: nightly
    reason: Twice.
    reason: Twice.
    callers: [service:nbbot]
    repositories: ["*/*"]
    permissions: {contents: admin}
`

// withFiles calls the program where these files exist.
func withFiles(files map[string]string, environ []string, stdin string, args ...string) result {
	var stdout, stderr bytes.Buffer
	code := run(context.Background(), invocation{
		args: args, environ: environ, stdin: strings.NewReader(stdin), stdout: &stdout, stderr: &stderr,
		readFile: func(path string) ([]byte, error) {
			content, found := files[path]
			if !found {
				return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
			}
			return []byte(content), nil
		},
	})
	return result{code, stdout.String(), stderr.String()}
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	files := map[string]string{"good.yaml": goodPolicy, "bad.yaml": badPolicy, "empty.yaml": ""}
	explain := func(args ...string) []string { return append([]string{"explain"}, args...) }
	for name, tc := range map[string]struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		"a good file":      {[]string{"check", "good.yaml"}, exitOK, "good.yaml: a policy of 2 rules, without a mistake\n", ""},
		"the file set":     {[]string{"check"}, exitOK, "good.yaml: a policy of 2 rules", ""},
		"mistakes by line": {[]string{"check", "bad.yaml"}, exitFault, "", "bad.yaml:5: the key \"reason\" stands twice, first in line 4\nbad.yaml:7: "},
		"each mistake":     {[]string{"check", "bad.yaml"}, exitFault, "", "bad.yaml:8: the permission contents can be read or write"},
		"an empty file":    {[]string{"check", "empty.yaml"}, exitFault, "", "empty.yaml: the file is empty\n"},
		"no such file":     {[]string{"check", "none.yaml"}, exitUsage, "", "none.yaml: file does not exist"},
		"two files":        {[]string{"check", "good.yaml", "bad.yaml"}, exitUsage, "", `there is no use for "bad.yaml"`},
		"an unknown flag":  {[]string{"check", "--strict"}, exitUsage, "", "flag provided but not defined"},
		"nothing":          {nil, exitUsage, "", "Usage: ghscoped-service policy check"},
		"another word":     {[]string{"lint"}, exitUsage, "", "Usage: ghscoped-service policy check"},
		"help":             {[]string{"check", "-h"}, exitOK, "Usage: ghscoped-service policy check", ""},

		"allowed": {explain("--as", "service:nbbot", "--repo", "octo-org/shared", "--permission", "contents:write", "good.yaml"), exitOK,
			"good.yaml:3: rule \"nightly\": it allows all of it\nallowed: rule \"nightly\" (line 3) allows this to service:nbbot\n" +
				"reason: The nightly job refreshes the course material.\nreuse: a token is given again for 30 minutes\n", ""},
		"refused": {explain("--as", "service:nbbot", "--repo", "octo-org/secrets", "--permission", "contents:write"), exitFault,
			"good.yaml:3: rule \"nightly\": it does not include octo-org/secrets\ngood.yaml:10: rule \"teachers\": it does not name service:nbbot\n" +
				"refused: no rule allows this to service:nbbot\n", ""},
		"by group":                {explain("--as", "user:tess", "--group", "teachers", "--repo", "octo-org/course", "--permission", "issues:read"), exitOK, `allowed: rule "teachers"`, ""},
		"without the group":       {explain("--as", "user:tess", "--repo", "octo-org/course", "--permission", "issues:read"), exitFault, "refused: no rule allows this to user:tess", ""},
		"what cannot be asked":    {explain("--as", "service:nbbot", "--repo", "octo-org/*", "--permission", "contents:write"), exitFault, "refused: \"octo-org/*\" names no single repository", ""},
		"with a broken policy":    {explain("--as", "service:nbbot", "--repo", "o/r", "--permission", "contents:write", "bad.yaml"), exitFault, "", "bad.yaml:5:"},
		"nobody":                  {explain("--repo", "o/r", "--permission", "contents:write"), exitUsage, "", "--as must be service:NAME or user:NAME"},
		"a group as the caller":   {explain("--as", "group:teachers"), exitUsage, "", "--as must be service:NAME or user:NAME"},
		"a service in a group":    {explain("--as", "service:a", "--group", "b"), exitUsage, "", "a service is in no group"},
		"a permission twice":      {explain("--as", "service:a", "--permission", "contents:read", "--permission", "contents:write"), exitUsage, "", "each name once"},
		"a permission by halves":  {explain("--as", "service:a", "--permission", "contents"), exitUsage, "", "must be NAME:LEVEL"},
		"the schema with a word":  {[]string{"schema", "x"}, exitUsage, "", `there is no use for "x"`},
		"the schema as published": {[]string{"schema"}, exitOK, string(bot.Schema), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := withFiles(files, []string{"GHSCOPED_BOT_POLICY=good.yaml"}, "", append([]string{"policy"}, tc.args...)...)
			require.Equal(t, tc.code, got.code, got)
			require.Contains(t, got.stdout, tc.stdout)
			require.Contains(t, got.stderr, tc.stderr)
			require.Equal(t, tc.stdout == "", got.stdout == "", got.stdout)
			require.Equal(t, tc.stderr == "", got.stderr == "", got.stderr)
		})
	}
	require.Contains(t, withFiles(files, nil, "", "policy", "check").stderr, "no file is named")
}

const (
	issued    = `{"audit":true,"time":"2026-11-21T12:00:00Z","action":"bot_token_issue","outcome":"issued","caller":"service:nbbot","rule":"nightly","repositories":["octo-org/Shared"]}`
	refused   = `{"audit":true,"time":"2026-11-20T12:00:00Z","action":"bot_token_issue","outcome":"refused","caller":"service:other","repositories":["octo-org/secrets","octo-org/shared"]}`
	revoked   = `{"audit":true,"time":"2026-11-21T13:00:00Z","action":"bot_token_revoke","outcome":"revoked","caller":"service:nbbot","by":"user:grace"}`
	delivered = `{"audit":true,"time":"2026-11-21T14:00:00Z","action":"delivered","user":"ada","outcome":"success"}`
	logged    = `{"time":"2026-11-21T12:00:01Z","level":"INFO","msg":"request","action":"delivered","user":"ada"}`
)

func TestAuditFinds(t *testing.T) {
	t.Parallel()
	all := strings.Join([]string{refused, issued, logged, "not JSON", revoked, delivered, ""}, "\n")
	file := filepath.Join(t.TempDir(), "audit.log")
	require.NoError(t, os.WriteFile(file, []byte(delivered+"\n"), 0o600))
	for name, tc := range map[string]struct {
		args []string
		want []string
	}{
		"everything of the audit":       {nil, []string{refused, issued, revoked, delivered}},
		"a user":                        {[]string{"--user", "ada"}, []string{delivered}},
		"a bot by its name":             {[]string{"--user", "nbbot"}, []string{issued, revoked}},
		"a bot with its kind":           {[]string{"--user", "service:nbbot"}, []string{issued, revoked}},
		"a name of another kind":        {[]string{"--user", "user:nbbot"}, nil},
		"who revoked":                   {[]string{"--user", "grace"}, []string{revoked}},
		"an action":                     {[]string{"--action", "bot_token_issue"}, []string{refused, issued}},
		"a repository in other letters": {[]string{"--repo", "octo-org/shared"}, []string{refused, issued}},
		"since a day":                   {[]string{"--since", "2026-11-21T12:00:00Z"}, []string{issued, revoked, delivered}},
		"all of it at once":             {[]string{"--user", "nbbot", "--action", "bot_token_issue", "--repo", "octo-org/shared", "--since", "2026-11-21T00:00:00Z"}, []string{issued}},
		"nothing so new":                {[]string{"--since", "2999-01-01"}, nil},
		"a file":                        {[]string{"--file", file}, []string{delivered}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := withFiles(nil, nil, all, append([]string{"audit"}, tc.args...)...)
			want := strings.Join(append(tc.want, ""), "\n")
			require.Equal(t, want, got.stdout)
			require.Empty(t, got.stderr)
			require.Equal(t, tc.want == nil, got.code == exitFault)
		})
	}
	for says, args := range map[string][]string{
		"--since must be": {"--since", "yesterday"}, "no such file": {"--file", file + ".1"}, `no use for "x"`: {"x"}, "not defined": {"--x"},
	} {
		got := withFiles(nil, nil, all, append([]string{"audit"}, args...)...)
		require.Equal(t, exitUsage, got.code)
		require.Contains(t, got.stderr, says)
	}
	require.Contains(t, withFiles(nil, nil, "", "audit", "-h").stdout, "Usage: ghscoped-service audit")
}

func TestSinceMayBeHowLongAgo(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	since, err := parseSince("36h", now)
	require.NoError(t, err)
	require.Equal(t, now.Add(-36*time.Hour), since)
	_, err = parseSince("-1h", now)
	require.Error(t, err)
}

func TestCheckConfigNamesMistakesInThePolicyAndTheKey(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	policy, key := filepath.Join(folder, "policy.yaml"), filepath.Join(folder, "app.pem")
	require.NoError(t, os.WriteFile(policy, []byte(badPolicy), 0o600))
	require.NoError(t, os.WriteFile(key, []byte("marker, not a key"), 0o600))
	got := withFiles(map[string]string{policy: badPolicy, key: "marker, not a key"},
		enough("GHSCOPED_BOT_POLICY="+policy, "GHSCOPED_APP_PRIVATE_KEY_FILE="+key), "", "check-config")
	require.Equal(t, exitUsage, got.code)
	require.Contains(t, got.stderr, "line 5: the key \"reason\" stands twice")
	require.Contains(t, got.stderr, "app.pem holds no RSA private key in PEM form")
	require.NotContains(t, got.stderr+got.stdout, "marker, not")
}

// TestTheServiceLeavesNoCoreDumps is about this process; test/bots looks at the
// real one.
func TestTheServiceLeavesNoCoreDumps(t *testing.T) {
	t.Parallel()
	require.NoError(t, noCoreDumps())
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_CORE, &limit))
	require.Equal(t, syscall.Rlimit{}, limit)
}
