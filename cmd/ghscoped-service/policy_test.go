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

const workloads = `version: 1
rules:
  - name: deploy
    reason: The deployment's workflow.
    callers: [actions:octo/deploy]
    where: {repository_id: "1", repository_owner_id: "2", ref: refs/heads/main}
    repositories: [octo/deploy]
    permissions: {contents: write}
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
	files := map[string]string{"good.yaml": goodPolicy, "bad.yaml": badPolicy, "empty.yaml": "", "workloads.yaml": workloads,
		"ours.yaml": "version: 1\nallow:\n  - callers: [service:nbbot]\n    permissions: {contents: write}\n"}
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
		"two files":        {[]string{"check", "good.yaml", "bad.yaml"}, exitUsage, "", `unexpected argument "bad.yaml"`},
		"an unknown flag":  {[]string{"check", "--strict"}, exitUsage, "", "unknown flag: --strict"},
		"nothing":          {nil, exitUsage, "", "  ghscoped-service policy [command]"},
		"another word":     {[]string{"lint"}, exitUsage, "", `unknown command "lint" for "ghscoped-service policy"`},
		"help":             {[]string{"check", "-h"}, exitOK, "Usage:\n  ghscoped-service policy check", ""},

		"allowed": {explain("--as", "service:nbbot", "--repo", "octo-org/shared", "--permission", "contents:write", "good.yaml"), exitOK,
			"good.yaml:3: rule \"nightly\": it allows all of it\nallowed: rule \"nightly\" (line 3) allows this to service:nbbot\n" +
				"reason: The nightly job refreshes the course material.\nreuse: a token is given again for 30 minutes\n", ""},
		"refused": {explain("--as", "service:nbbot", "--repo", "octo-org/secrets", "--permission", "contents:write"), exitFault,
			"good.yaml:3: rule \"nightly\": it does not include octo-org/secrets\ngood.yaml:10: rule \"teachers\": it does not name service:nbbot\n" +
				"refused: no rule allows this to service:nbbot\n", ""},
		"by group":              {explain("--as", "user:tess", "--group", "teachers", "--repo", "octo-org/course", "--permission", "issues:read"), exitOK, `allowed: rule "teachers"`, ""},
		"without the group":     {explain("--as", "user:tess", "--repo", "octo-org/course", "--permission", "issues:read"), exitFault, "refused: no rule allows this to user:tess", ""},
		"what cannot be asked":  {explain("--as", "service:nbbot", "--repo", "octo-org/*", "--permission", "contents:write"), exitFault, "refused: \"octo-org/*\" names no single repository", ""},
		"with a broken policy":  {explain("--as", "service:nbbot", "--repo", "o/r", "--permission", "contents:write", "bad.yaml"), exitFault, "", "bad.yaml:5:"},
		"nobody":                {explain("--repo", "o/r", "--permission", "contents:write"), exitUsage, "", "--as must be service:NAME, user:NAME, actions:OWNER/NAME"},
		"a group as the caller": {explain("--as", "group:teachers"), exitUsage, "", "--as must be service:NAME, user:NAME, actions:OWNER/NAME"},
		"a service in a group":  {explain("--as", "service:a", "--group", "b"), exitUsage, "", "nobody else is in a group"},
		"a claim of a service":  {explain("--as", "service:a", "--claim", "ref=x"), exitUsage, "", "a Hub's token has no claims"},
		"a claim by halves":     {explain("--as", "actions:o/r", "--claim", "ref"), exitUsage, "", "must be NAME=VALUE"},
		"a claim twice":         {explain("--as", "actions:o/r", "--claim", "ref=a", "--claim", "ref=b"), exitUsage, "", "each name once"},
		"a workflow": {explain("--as", "actions:octo/deploy", "--claim", "repository_id=1", "--claim", "repository_owner_id=2", "--claim", "ref=refs/heads/main",
			"--repo", "octo/deploy", "--permission", "contents:write", "workloads.yaml"), exitOK, `allowed: rule "deploy" (line 3) allows this to actions:octo/deploy`, ""},
		"a workflow of a branch": {explain("--as", "actions:octo/deploy", "--claim", "repository_id=1", "--claim", "repository_owner_id=2", "--claim", "ref=refs/heads/x",
			"--repo", "octo/deploy", "--permission", "contents:write", "workloads.yaml"), exitFault,
			"workloads.yaml:3: rule \"deploy\": ref is \"refs/heads/x\", not \"refs/heads/main\"\nrefused: ", ""},
		"a repository's file":           {[]string{"check", "--repository-file", "ours.yaml"}, exitOK, "ours.yaml: a file of 1 entries, without a mistake\n", ""},
		"a repository's file, with one": {[]string{"check", "--repository-file", "good.yaml"}, exitFault, "", "good.yaml:2: the file knows no key \"rules\""},
		"no repository's file":          {[]string{"check", "--repository-file", "none.yaml"}, exitUsage, "", "none.yaml: file does not exist"},
		"the schema of repositories":    {[]string{"schema", "--repository-file"}, exitOK, string(bot.RepositoryFileSchema), ""},
		"a permission twice":            {explain("--as", "service:a", "--permission", "contents:read", "--permission", "contents:write"), exitUsage, "", "each name once"},
		"a permission by halves":        {explain("--as", "service:a", "--permission", "contents"), exitUsage, "", "must be NAME:LEVEL"},
		"the schema with a word":        {[]string{"schema", "x"}, exitUsage, "", `unexpected argument "x"`},
		"the schema as published":       {[]string{"schema"}, exitOK, string(bot.Schema), ""},
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

// TestServeLeavesNoCoreDumps is about this process; test/bots looks at the
// real one.
func TestServeLeavesNoCoreDumps(t *testing.T) {
	t.Parallel()
	require.NoError(t, noCoreDumps())
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_CORE, &limit))
	require.Equal(t, syscall.Rlimit{}, limit)
}
