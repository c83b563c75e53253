package deliver

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Two users of one machine: whose home it is, and somebody else.
const (
	ada = 21001
	eve = 21002
)

// newHomeOf is a place whose home belongs to ada, and where the script runs as
// her.
func newHomeOf(t *testing.T) *place {
	t.Helper()
	require.Zero(t, os.Geteuid(), "this test needs files of two users, and so has to be run as root")
	p := newPlace(t)
	require.NoError(t, os.Chmod(filepath.Dir(p.home), 0o755)) // all temporary folders of this test are in it
	p.user = ada
	p.own(ada, 0o755, ".")
	return p
}

// own makes a folder, whose owner and group are the user, of this very mode.
func (p *place) own(user int, mode os.FileMode, path string) string {
	p.t.Helper()
	if !filepath.IsAbs(path) {
		path = filepath.Join(p.home, path)
	}
	require.NoError(p.t, os.MkdirAll(path, 0o755))
	require.NoError(p.t, os.Chown(path, user, user))
	require.NoError(p.t, os.Chmod(path, mode))
	return path
}

func TestDeliverSharedFolderIsRefused(t *testing.T) {
	t.Parallel()
	const sticky = os.ModeSticky | 0o777
	for _, c := range []struct {
		name    string
		path    string // of the credential; %s is a folder outside the home
		prepare func(p *place, outside string)
		code    string
	}{
		{"sticky and writable for all", "%s/credential", func(p *place, out string) { p.own(0, sticky, out) }, "shared_folder"},
		{"sticky, writable for all, and the user's own", "%s/credential", func(p *place, out string) { p.own(ada, sticky, out) }, "shared_folder"},
		{"writable for all", "%s/credential", func(p *place, out string) { p.own(ada, 0o777, out) }, "shared_folder"},
		{"writable for a group", "%s/credential", func(p *place, out string) { p.own(ada, 0o770, out) }, "shared_folder"},
		{"somebody else's", "%s/credential", func(p *place, out string) { p.own(eve, 0o777, out) }, "shared_folder"},
		{"below one that is writable for a group", "%s/mine/credential", func(p *place, out string) {
			p.own(ada, 0o775, out)
			p.own(ada, 0o700, out+"/mine")
		}, "shared_folder"},
		{"below one that is writable for all", "%s/new/credential", func(p *place, out string) { p.own(0, 0o777, out) }, "shared_folder"},
		{"below somebody else's", "%s/mine/credential", func(p *place, out string) {
			p.own(eve, 0o755, out)
			p.own(ada, 0o700, out+"/mine")
		}, "foreign_owner"},
		{"two below somebody else's sticky one", "%s/a/b/credential", func(p *place, out string) {
			p.own(eve, sticky, out)
			p.own(ada, 0o700, out+"/a")
		}, "foreign_owner"},
		{"behind a link", "~/link/credential", func(p *place, out string) {
			p.own(0, sticky, out)
			require.NoError(p.t, os.Symlink(out, p.home+"/link"))
		}, "shared_folder"},
		{"the home, which a group can write", "~/credential", func(p *place, _ string) { p.own(ada, 0o775, ".") }, "shared_folder"},
		{"in the home, writable for all", "", func(p *place, _ string) { p.own(ada, 0o777, ".config") }, "shared_folder"},
		{"in the home, somebody else's", "", func(p *place, _ string) { p.own(eve, 0o777, ".config") }, "foreign_owner"},
		{"planted, with a sticky bit", "", func(p *place, _ string) {
			p.own(ada, 0o755, ".config")
			p.own(eve, sticky, ".config/ghscoped")
		}, "foreign_owner"},

		{"the user's own below a sticky one", "%s/mine/credential", func(p *place, out string) {
			p.own(0, sticky, out)
			p.own(ada, 0o700, out+"/mine")
		}, "done"},
		{"yet to be made below a sticky one", "%s/new/credential", func(p *place, out string) { p.own(0, sticky, out) }, "done"},
		{"root's home for a group", "", func(p *place, _ string) {
			p.own(ada, os.ModeSetgid|0o775, ".")
			require.NoError(p.t, os.Chown(p.home, 0, ada))
		}, "done"},
		{"root's home for all", "", func(p *place, _ string) { p.own(0, 0o777, ".") }, "done"},
		{"a home and its folders for a group", "", func(p *place, _ string) {
			p.own(ada, os.ModeSetgid|0o775, ".")
			p.own(ada, os.ModeSetgid|0o775, ".config")
			p.own(ada, os.ModeSetgid|0o775, ".config/ghscoped")
			p.own(ada, os.ModeSetgid|0o775, ".config/gh")
		}, "done"},
	} {
		for shell, prepare := range shellsTried() {
			t.Run(c.name+"/"+shell, func(t *testing.T) {
				t.Parallel()
				p := newHomeOf(t)
				p.shell, p.path = prepare(t)
				outside := t.TempDir()
				c.prepare(p, outside)
				options := Options{GHCommand: true, CredentialPath: strings.Replace(c.path, "%s", outside, 1)}
				before := p.state()
				require.Equal(t, c.code, p.deliver(options))
				if c.code == "done" {
					require.Contains(t, p.fill("https", "github.com"), token)
					require.Equal(t, "done", p.remove(options))
					requireNoToken(t, p.home, outside)
					return
				}
				require.Contains(t, causes, c.code, "it has a message for people")
				require.Equal(t, before, p.state())
				requireNoToken(t, p.home, outside)
			})
		}
	}
}

// requireNoToken checks that no file in the folders holds the token, and that
// no folder for new files is left.
func requireNoToken(t *testing.T, folders ...string) {
	t.Helper()
	for _, folder := range folders {
		require.NoError(t, filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
			require.NoError(t, err)
			require.NotContains(t, path, ".ghscoped-new.")
			if entry.Type().IsRegular() {
				content, err := os.ReadFile(path)
				require.NoError(t, err)
				require.NotContains(t, string(content), token, path)
			}
			return nil
		}))
	}
}

// swappers are stand-ins for the programs that the script starts. At the call
// (1, 2, …) that the file "at" in their folder names, the file "deed" is run
// first (after mkdir), which does what somebody else could do at that moment.
func swappers(t *testing.T, deed string) string {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.Chmod(folder, 0o777))
	require.NoError(t, os.WriteFile(folder+"/deed", []byte(deed), 0o644))
	for _, command := range commands {
		real := program(t, command)
		first, then := "", ""
		if command == "mkdir" { // before the script goes into what was made
			first, then = real+" \"$@\"; status=$?; ", "exit $status; "
		}
		text := "#!/bin/sh\nPATH=" + os.Getenv("PATH") + "\nread -r at <" + folder + "/at\nn=1\nset -C\n" +
			"until command : 2>/dev/null >" + folder + "/call.$n; do n=$((n + 1)); done\nset +C\n" +
			"if [ $n = \"$at\" ]; then " + first + ". " + folder + "/deed; " + then + "fi\nPATH=" + folder + "\nexec " + real + " \"$@\"\n"
		require.NoError(t, os.WriteFile(folder+"/"+command, []byte(text), 0o755))
	}
	return folder
}

// TestDeliverSwappedFolder swaps a folder at each step of a delivery and of a
// removal, as whoever can write around it may: what is put in its place has
// links at every name, in the folder itself and in all that are in it.
func TestDeliverSwappedFolder(t *testing.T) {
	t.Parallel()
	const first, later, removal = "a first delivery", "a later delivery", "a removal"
	for name, c := range map[string]struct {
		swap    string
		actions []string
	}{
		"our folder":           {`mv "$HOME/.config/ghscoped" "$HOME/.config/was" && cp -a "$EVIL" "$HOME/.config/ghscoped"`, []string{later}},
		"our folder by a link": {`mv "$HOME/.config/ghscoped" "$HOME/.config/was" && ln -s ../project "$HOME/.config/ghscoped"`, []string{first, removal}},
		"that for new files in the home": {`for f in "$HOME"/.ghscoped-new.*; do
			if [ -d "$f" ]; then mv "$f" "$HOME/was" && cp -a "$EVIL" "$f"; fi; done`, []string{first}},
		"that for new files by one of the user's own": {`for f in "$HOME"/.ghscoped-new.*; do
			if [ -d "$f" ]; then mv "$f" "$HOME/was" && mv "$HOME/project" "$f"; fi; done`, []string{first}},
	} {
		for _, action := range c.actions {
			t.Run(name+"/"+action, func(t *testing.T) {
				t.Parallel()
				folder := swappers(t, c.swap+"\n")
				require.NoError(t, os.Chmod(filepath.Dir(folder), 0o755))
				steps := 0
				for call := 1; swapAndLook(t, folder, action, call); call += stride() {
					steps = call
				}
				require.Greater(t, steps, 4)
			})
		}
	}
}

// swapAndLook swaps at one step and reports whether there was such a step.
func swapAndLook(t *testing.T, folder, action string, call int) bool {
	t.Helper()
	p := newHomeOf(t)
	p.own(ada, 0o775, ".")
	p.own(ada, 0o775, ".config")
	loot := t.TempDir() + "/loot"
	require.NoError(t, os.WriteFile(loot, []byte("loot"), 0o666))
	require.NoError(t, os.Chmod(loot, 0o666))
	evil := p.own(eve, 0o777, t.TempDir())
	project := p.own(ada, 0o775, "project")
	for _, name := range []string{"credential", "gitconfig", "git-credential-ghscoped", ".gitconfig"} {
		require.NoError(t, os.WriteFile(project+"/"+name, []byte("precious"), 0o644))
		require.NoError(t, os.Symlink(loot, project+"/ghscoped-new."+name))
		for _, name := range []string{name, "ghscoped-new." + name} {
			require.NoError(t, os.Symlink(loot, evil+"/"+name))
		}
	}
	require.NoError(t, exec.Command("chown", "-R", fmt.Sprint(ada), project).Run())
	p.write(".gitconfig", "[user]\n\tname = Ada")
	require.NoError(t, os.Chown(p.home+"/.gitconfig", ada, ada))
	if action != "a first delivery" {
		require.Equal(t, "done", p.deliverAs(Options{}, withToken("ghu_old")))
	}
	clearCalls(t, folder)
	require.NoError(t, os.WriteFile(folder+"/at", fmt.Appendln(nil, call), 0o644))
	p.path, p.env = folder, []string{"EVIL=" + evil}

	var verdict string
	if action == "a removal" {
		verdict = p.remove(Options{})
	} else {
		verdict = p.deliver(Options{})
	}

	require.True(t, verdict == "done" || causes[verdict].Message != "", "%q", verdict)
	content, err := os.ReadFile(loot)
	require.NoError(t, err)
	require.Equal(t, "loot", string(content), "swapped before call %d", call)
	found := 0 // the project may have been moved
	require.NoError(t, filepath.WalkDir(p.home, func(path string, entry os.DirEntry, err error) error {
		require.NoError(t, err)
		if !entry.Type().IsRegular() {
			return nil
		}
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		if string(content) == "precious" {
			found++
		}
		if strings.Contains(string(content), token) {
			requireOutOfReach(t, path)
		}
		return nil
	}))
	require.Equal(t, 4, found, "files of the user's own are left alone, swapped before call %d", call)
	_, err = os.Stat(fmt.Sprintf("%s/call.%d", folder, call))
	return err == nil
}

func clearCalls(t *testing.T, folder string) {
	t.Helper()
	calls, err := filepath.Glob(folder + "/call.*")
	require.NoError(t, err)
	for _, path := range calls {
		require.NoError(t, os.Remove(path))
	}
}

// requireOutOfReach: the file is ada's and for her alone, in a folder of hers
// for which that is true as well.
func requireOutOfReach(t *testing.T, path string) {
	t.Helper()
	for _, path := range []string{path, filepath.Dir(path)} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Zero(t, info.Mode().Perm()&0o077, path)
		require.EqualValues(t, ada, info.Sys().(*syscall.Stat_t).Uid, path)
	}
}

func TestRemoveFollowsNoLinkOfAFolder(t *testing.T) {
	t.Parallel()
	inEachShell(t, "", func(t *testing.T, p *place) {
		for _, name := range []string{"credential", "gitconfig", "git-credential-ghscoped", "secrets", "ghscoped-new.draft"} {
			p.write("project/"+name, "precious")
		}
		require.NoError(t, os.Mkdir(p.home+"/.config", 0o755))
		require.NoError(t, os.Symlink("../project", p.home+"/.config/ghscoped"))
		require.NoError(t, os.Symlink("project", p.home+"/.ghscoped-new.1"))
		before := p.state()
		for _, path := range []string{"", "~/.ghscoped-new.1/secrets"} {
			require.Equal(t, "done", p.remove(Options{CredentialPath: path}))
			require.Equal(t, before, p.state())
		}
	})
}
