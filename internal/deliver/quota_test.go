package deliver

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDeliverFileThatGetsNoFurther: a limit of the kernel's ends the writing of
// one file in the middle, of each one that a delivery writes.
func TestDeliverFileThatGetsNoFurther(t *testing.T) {
	t.Parallel()
	long := "~" + strings.Repeat("/"+strings.Repeat("d", 200), 4) + "/credential"
	for _, c := range []struct {
		file        string
		before      func(p *place)
		token, path string
		limit       int
	}{
		{file: "the helper", before: func(*place) {}, token: token, limit: 1000},
		{file: "the credential", before: func(p *place) { p.deliver(Options{GHCommand: true}) }, token: strings.Repeat("t", 4000), limit: 3000},
		{file: "git's settings of ours", before: func(p *place) { p.deliver(Options{GHCommand: true}) }, token: token, path: long, limit: 700},
		{file: "gh's list", before: func(p *place) { p.deliver(Options{GHCommand: true}) }, token: strings.Repeat("t", 1500), limit: 2500},
		{file: "the user's git configuration", before: func(p *place) { p.write(".gitconfig", strings.Repeat("# a line\n", 1000)) }, token: token, limit: 5000},
	} {
		inEachShell(t, c.file, func(t *testing.T, p *place) {
			require.NoError(t, os.MkdirAll(p.home+"/.config", 0o755))
			c.before(p)
			before := p.state()

			p.limit = c.limit
			verdict := p.deliverAs(Options{GHCommand: true, CredentialPath: c.path}, withToken(c.token))
			require.NotEqual(t, "done", verdict)
			require.Contains(t, causes, verdict)
			require.Equal(t, before, p.state())

			p.limit = 0
			require.Equal(t, "done", p.deliverAs(Options{GHCommand: true, CredentialPath: c.path}, withToken(c.token)))
		})
	}
}

// TestDeliverNamesWhyAWriteFails: each write in turn ends in the middle, for the reason
// that a file system gives.
func TestDeliverNamesWhyAWriteFails(t *testing.T) {
	t.Parallel()
	for reason, codes := range map[string][2]string{ // in the home, and of git's configuration
		"Disk quota exceeded":       {"quota", "quota"},
		"No space left on device":   {"disk_full", "disk_full"},
		"Read-only file system":     {"read_only_home", "git_config_not_writable"},
		"Permission denied":         {"permission_denied", "git_config_not_writable"},
		"No such file or directory": {"write_failed", "git_config_busy"},
		"Input/output error":        {"write_failed", "git_config_not_writable"},
	} {
		for shell, prepare := range shellsTried("sh", "bash") { // busybox starts its own programs, whatever the path
			t.Run(reason+"/"+shell, func(t *testing.T) {
				t.Parallel()
				const all = 7 // .gitignore, the helper, our settings, the credential, gh's list, the user's git configuration
				steps := []int{1, all}
				if reason == "Disk quota exceeded" {
					steps = []int{1, 2, 3, 4, 5, 6, all, all + 1}
				}
				for _, fails := range steps {
					p := newPlace(t)
					p.shell, p.path = prepare(t)
					require.NoError(t, os.MkdirAll(p.home+"/.config", 0o755))
					p.write(".gitconfig", "[user]\n\tname = Ada")
					before := p.state()
					folder := t.TempDir()
					text := "#!/bin/sh\nPATH=" + p.path + "\nif [ $# -gt 0 ]; then exec cat \"$@\"; fi\nn=1\nset -C\n" +
						"until command : 2>/dev/null >" + folder + "/call.$n; do n=$((n + 1)); done\n" +
						fmt.Sprintf("if [ $n != %d ]; then exec cat; fi\ndd bs=7 count=1 2>/dev/null\n[ \"$LC_ALL\" = C ] || exit 1 # in the user's language\necho 'cat: write error: %s' >&2\nexit 1\n", fails, reason)
					require.NoError(t, os.WriteFile(folder+"/cat", []byte(text), 0o755))
					p.path = folder + ":" + p.path

					verdict := p.deliver(Options{GHCommand: true})
					switch {
					case fails > all:
						require.Equal(t, "done", verdict)
						return
					case fails == all:
						require.Equal(t, codes[1], verdict)
					default:
						require.Equal(t, codes[0], verdict, "write %d", fails)
					}
					require.Equal(t, before, p.state(), "write %d", fails)
				}
			})
		}
	}
}

// TestDeliverFileSystemWithoutModes: every file is for everybody there, as on a
// share of Windows'. The credential may lie elsewhere; the rest is no secret.
func TestDeliverFileSystemWithoutModes(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]string{"folders and files": ".", "files": "-"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			elsewhere := t.TempDir()
			// An ls that shows such modes for what is in the home.
			p.stand("ls", "case $PWD in "+p.home+"/*) ls \"$@\" | sed 's/^\\("+of+"\\)........./\\1rwxrwxrwx/' ;; *) exec ls \"$@\" ;; esac")
			before := p.state()
			require.Equal(t, "not_private", p.deliver(Options{}))
			require.Equal(t, before, p.state())
			require.Equal(t, "done", p.deliver(Options{CredentialPath: elsewhere + "/credential"}))
			require.Contains(t, p.fill("https", "github.com"), token)
		})
	}
}
