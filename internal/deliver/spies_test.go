package deliver

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// commands are the programs that the script starts.
var commands = []string{"cat", "chmod", "cp", "git", "ls", "mkdir", "mv", "readlink", "rm", "rmdir", "sleep", "stty", "tr", "wc"}

// spies is a folder of programs that note their arguments and environment
// in log and then do what those on path do.
func spies(t *testing.T, path, log string) string {
	t.Helper()
	folder := t.TempDir()
	for _, command := range commands {
		for real := range strings.SplitSeq(path, ":") {
			if _, err := os.Stat(real + "/" + command); err != nil {
				continue
			}
			text := "#!/bin/sh\n{ echo " + command + " \"$@\"; export -p; } >>" + log + "\nPATH=" + path + "\nexec " + real + "/" + command + " \"$@\"\n"
			require.NoError(t, os.WriteFile(folder+"/"+command, []byte(text), 0o755))
			break
		}
	}
	return folder
}

// A name that can be known beforehand could be planted.
func TestScriptNamesItsFoldersForNewFilesAsNobodyCanGuess(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.path = spies(t, p.path, p.home+"/log")
	seen := map[string]bool{}
	for range 2 {
		require.Equal(t, "done", p.deliver(Options{}))
		name := regexp.MustCompile(`mkdir -m 700 \.ghscoped-new\.(\w+)\.`).FindStringSubmatch(p.read("log"))
		require.NotNil(t, name)
		require.Greater(t, len(name[1]), 16)
		seen[name[1]] = true
		require.NoError(t, os.Remove(p.home+"/log"))
	}
	require.Len(t, seen, 2)
}

func TestScriptStartsNoOtherPrograms(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.path = t.TempDir()
	for _, command := range commands {
		if path, err := exec.LookPath(command); err == nil {
			require.NoError(t, os.Symlink(path, filepath.Join(p.path, command)))
		}
	}
	p.write("linked", "[user]\n\tname = Ada\n")
	require.NoError(t, os.Symlink("linked", p.home+"/.gitconfig"))
	options := Options{GitIdentity: true, RewriteSSH: true, GHCommand: true}
	require.Equal(t, "done", p.deliver(options))
	require.Equal(t, "done", p.remove(options))
}

func mkfifo(t *testing.T, path string) {
	t.Helper()
	require.NoError(t, syscall.Mkfifo(path, 0o600))
}

// cut is the input without its last line.
func cut(input secret.String) secret.String {
	text := input.Reveal()
	return secret.New(text[:strings.LastIndex(text, "end ")])
}
