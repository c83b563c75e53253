package git

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var dotCom = &url.URL{Scheme: "https", Host: "github.com"}

// home is a git whose user has this configuration.
func home(t *testing.T, config string) Program {
	t.Helper()
	path, err := exec.LookPath("git")
	require.NoError(t, err)
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(folder+"/.gitconfig", []byte(config), 0o600))
	return Program{Path: path, Folder: folder, Env: []string{"HOME=" + folder, "XDG_CONFIG_HOME=", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + folder + "/.gitconfig"}}
}

// script is a program of this text in a folder of its own.
func script(t *testing.T, name, text string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\n"+text), 0o755)) //nolint:gosec // it is a program
	return folder
}

func TestOnPath(t *testing.T) {
	t.Parallel()
	one, two, link, folder, plain := script(t, "git", ""), script(t, "git", ""), t.TempDir(), t.TempDir(), t.TempDir()
	require.NoError(t, os.Symlink(one+"/git", link+"/git"))
	require.NoError(t, os.Mkdir(folder+"/git", 0o700))
	require.NoError(t, os.WriteFile(plain+"/git", nil, 0o600))
	path := strings.Join([]string{"", ".", "/nowhere", folder, plain, one, link, one, two}, ":")
	require.Equal(t, []Program{{Path: one + "/git"}, {Path: two + "/git"}}, OnPath(path))
	require.Empty(t, OnPath(""))
}

// A git of conda, or of a module, reads the file below its own prefix.
func TestProgramSystemFile(t *testing.T) {
	t.Parallel()
	real := home(t, "")
	own, err := real.SystemFile(t.Context())
	require.NoError(t, err)
	require.Equal(t, "/etc/gitconfig", own)

	prefix := t.TempDir()
	for name, file := range map[string]string{"that is not there": prefix + "/etc/gitconfig", "with a space": prefix + "/a b/gitconfig"} {
		conda := script(t, "git", "GIT_CONFIG_SYSTEM='"+file+"' exec "+real.Path+` "$@"`)
		got, err := Program{Path: conda + "/git"}.SystemFile(t.Context())
		require.NoError(t, err)
		require.Equal(t, file, got, name)
		_, err = os.Stat(file)
		require.ErrorIs(t, err, os.ErrNotExist, "it is asked for, and not made")
	}

	off := real
	off.Env = append(off.Env, "GIT_CONFIG_SYSTEM=/dev/null")
	got, err := off.SystemFile(t.Context())
	require.NoError(t, err)
	require.Empty(t, got)
}

func TestProgramHelpers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config     string
		asked, off []string
	}{
		"none":                          {"", nil, nil},
		"of a user, and switched off":   {"[credential \"https://me@github.com\"]\n\thelper = store\n[credential]\n\thelper =", nil, []string{"store"}},
		"of a path, emptied before":     {"[credential \"https://github.com/acme\"]\n\thelper = store\n\thelper =\n[credential]\n\thelper =", nil, nil},
		"of all hosts":                  {"[credential]\n\thelper = store", []string{"store"}, nil},
		"one behind ours":               {"[credential \"https://github.com\"]\n\thelper =\n\thelper = ours\n[credential]\n\thelper = store", []string{"ours", "store"}, nil},
		"one before ours":               {"[credential]\n\thelper = store\n[credential \"https://github.com\"]\n\thelper =\n\thelper = ours", []string{"ours"}, nil},
		"an empty one behind ours":      {"[credential \"https://github.com\"]\n\thelper = ours\n[credential]\n\thelper =", nil, nil},
		"of another host":               {"[credential \"https://example.org\"]\n\thelper = store", nil, nil},
		"of another scheme":             {"[credential \"http://github.com\"]\n\thelper = store", nil, nil},
		"of hosts with a wildcard":      {"[credential \"https://*.com\"]\n\thelper = store", []string{"store"}, nil},
		"in capitals":                   {"[Credential \"https://GitHub.com\"]\n\tHelper = store", []string{"store"}, nil},
		"with its port":                 {"[credential \"https://github.com:443\"]\n\thelper = store", []string{"store"}, nil},
		"of another user":               {"[credential \"https://me@github.com\"]\n\thelper = store", nil, nil},
		"of a path":                     {"[credential \"https://github.com/acme\"]\n\thelper = store", nil, nil},
		"of a path, and switched off":   {"[credential \"https://github.com/acme\"]\n\thelper = store\n[credential \"https://github.com\"]\n\thelper =\n\thelper = ours", []string{"ours"}, []string{"store"}},
		"of a path, behind the empty":   {"[credential \"https://github.com\"]\n\thelper =\n[credential \"https://github.com/acme\"]\n\thelper = store", nil, nil},
		"of another host's path":        {"[credential \"https://example.org/acme\"]\n\thelper = store\n[credential]\n\thelper =", nil, nil},
		"a value with a newline and \"": {"[credential]\n\thelper = \"!f() { echo \\\"a\\nb\\\"; }; f\"", []string{"!f() { echo \"a\nb\"; }; f"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			git := home(t, test.config)
			found, err := git.Helpers(t.Context(), dotCom)
			require.NoError(t, err)
			values := func(helpers []Helper) (values []string) {
				for _, h := range helpers {
					require.Equal(t, git.Folder+"/.gitconfig", h.Where())
					values = append(values, h.Value)
				}
				return values
			}
			require.Equal(t, test.asked, values(found.Asked))
			require.Equal(t, test.off, values(found.SwitchedOff))
		})
	}
}

func TestProgramHelpersOfTheEnvironment(t *testing.T) {
	t.Parallel()
	git := home(t, "[credential]\n\thelper = store")
	git.Env = append(git.Env, "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=credential.helper", "GIT_CONFIG_VALUE_0=cache")
	found, err := git.Helpers(t.Context(), dotCom)
	require.NoError(t, err)
	require.Len(t, found.Asked, 2)
	require.Equal(t, "the environment", found.Asked[1].Where())
}

func TestProgramHelpersOfABrokenConfiguration(t *testing.T) {
	t.Parallel()
	git := home(t, "[user]\n\tname = Ada\n[credential\n")
	_, err := git.Helpers(t.Context(), dotCom)
	var refused *Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "bad config line 3 in file "+git.Folder+"/.gitconfig", refused.Text)
}

func TestHelperName(t *testing.T) {
	t.Parallel()
	for value, name := range map[string]string{
		"store":                             "store",
		"store --file=/home/ada/x":          "store",
		"/opt/ghscoped/ghscoped git-x":      "/opt/ghscoped/ghscoped",
		"!/usr/bin/gh auth git-credential":  "/usr/bin/gh",
		"!'/opt/a b/gh' auth":               "/opt/a",
		"!f() { echo password=hunter2; };f": "a command of the shell",
		"!TOKEN=hunter2 helper":             "a command of the shell",
	} {
		require.Equal(t, name, Helper{Value: value}.Name(), value)
	}
}

func TestProgramFill(t *testing.T) {
	t.Parallel()
	const answer = "!f() { echo username=ada; echo password=p; }; f"
	for name, test := range map[string]struct {
		config, password string
	}{
		"a helper":                    {"[credential]\n\thelper = \"" + answer + "\"", "p"},
		"one that leaves a program":   {"[credential]\n\thelper = \"!f() { sleep 1000 >/dev/null & echo username=ada; echo password=p; }; f\"", "p"},
		"one that has nothing":        {"[credential]\n\thelper = \"!true\"", ""},
		"none":                        {"", ""},
		"a program that is not there": {"[credential]\n\thelper = /nowhere/helper", ""},
		"one that asks by askpass":    {"[core]\n\taskPass = \"echo p\"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := home(t, test.config).Fill(t.Context(), dotCom)
			if test.password == "" {
				var nobody *Error
				require.ErrorAs(t, err, &nobody)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.password, got.Password.Reveal())
		})
	}
}

func TestProgramFillEndsAHelperThatWaits(t *testing.T) {
	t.Parallel()
	git := home(t, "[credential]\n\thelper = \"!f() { echo $$ >pid; sleep 1000; }; f\"")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for ctx.Err() == nil {
			if text, err := os.ReadFile(git.Folder + "/pid"); err == nil && len(text) > 0 {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	_, err := git.Fill(ctx, dotCom)
	require.ErrorIs(t, err, context.Canceled)
}

func TestProgramReject(t *testing.T) {
	t.Parallel()
	git := home(t, "[credential]\n\thelper = store")
	kept := "https://ada:mine@github.com\nhttps://x-access-token:t@example.org\n"
	require.NoError(t, os.WriteFile(git.Folder+"/.git-credentials", []byte("https://x-access-token:ghu_1@github.com\n"+kept), 0o600))
	require.NoError(t, git.Reject(t.Context(), dotCom, "x-access-token"))
	left, err := os.ReadFile(git.Folder + "/.git-credentials")
	require.NoError(t, err)
	require.Equal(t, kept, string(left))
}

// TestTrue asks git itself.
func TestTrue(t *testing.T) {
	t.Parallel()
	git := home(t, "")
	for _, text := range []string{"true", "True", "yes", "on", "1", "7", "-1", "false", "FALSE", "no", "No", "off", "0", "00", ""} {
		out, err := git.run(t.Context(), nil, "-c", "x.y="+text, "config", "--type=bool", "x.y")
		require.NoError(t, err)
		require.Equal(t, strings.TrimSpace(out) == "true", True(text), text)
	}
}

func TestProgramSetting(t *testing.T) {
	t.Parallel()
	git := home(t, "[credential]\n\tuseHttpPath = no\n[credential \"https://github.com\"]\n\tuseHttpPath = yes\n[core]\n\taskPass = ask\n")
	value, ok := git.Setting(t.Context(), "credential.useHttpPath", dotCom)
	require.True(t, ok)
	require.Equal(t, "yes", value)
	require.True(t, git.Bool(t.Context(), "credential.useHttpPath", dotCom))
	require.False(t, git.Bool(t.Context(), "credential.useHttpPath", &url.URL{Scheme: "https", Host: "example.org"}))
	_, ok = git.Setting(t.Context(), "credential.interactive", dotCom)
	require.False(t, ok)
	value, ok = git.Value(t.Context(), "core.askPass")
	require.True(t, ok)
	require.Equal(t, "ask", value)
	_, ok = git.Value(t.Context(), "core.editor")
	require.False(t, ok)
}

func TestProgramSetOutside(t *testing.T) {
	t.Parallel()
	program := home(t, "[user]\n\tname = Ada\n")
	file := program.Folder + "/.gitconfig"
	require.True(t, program.SetOutside(t.Context(), "/elsewhere", "user.name"))
	require.False(t, program.SetOutside(t.Context(), file, "user.name"))
	require.False(t, program.SetOutside(t.Context(), "/elsewhere", "user.email"))
	require.True(t, home(t, "[user\n").SetOutside(t.Context(), file, "user.email"), "a configuration that cannot be read")

	value, ok := program.ValueIn(t.Context(), file, "user.name")
	require.True(t, ok)
	require.Equal(t, "Ada", value)
	_, ok = program.ValueIn(t.Context(), "/elsewhere", "user.name")
	require.False(t, ok)
}

func TestProgramRemotes(t *testing.T) {
	t.Parallel()
	git := home(t, "[url \"git@github.com:\"]\n\tpushInsteadOf = https://github.com/\n")
	_, err := git.Remotes(t.Context())
	require.Error(t, err, "no repository")
	for _, args := range [][]string{
		{"init", "-q"}, {"remote", "add", "origin", "https://github.com/a/b"}, {"remote", "add", "other", "https://example.org/x"},
		{"config", "remote.other.pushurl", "git@example.org:x"},
	} {
		_, err := git.run(t.Context(), nil, args...)
		require.NoError(t, err)
	}
	remotes, err := git.Remotes(t.Context())
	require.NoError(t, err)
	require.Equal(t, []Remote{
		{"origin", Address{"remote.origin.url", "https://github.com/a/b", "https://github.com/a/b"}, Address{"remote.origin.url", "https://github.com/a/b", "git@github.com:a/b"}},
		{"other", Address{"remote.other.url", "https://example.org/x", "https://example.org/x"}, Address{"remote.other.pushurl", "git@example.org:x", "git@example.org:x"}},
	}, remotes)
}
