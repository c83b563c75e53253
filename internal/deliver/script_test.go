package deliver

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/credential"
)

func TestScriptGivesGitTheCredentialAndItsRemovalLeavesNoTrace(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("[alias]\n\tco = checkout\n# a line of a long file, with some text in it\n", 1000)
	for name, before := range map[string]func(p *place){
		"no file":                   func(*place) {},
		"an empty file":             func(p *place) { p.write(".gitconfig", "") },
		"one section":               func(p *place) { p.write(".gitconfig", "[user]\n\tname = Ada\n") },
		"no newline at the end":     func(p *place) { p.write(".gitconfig", "[user]\n\tname = Ada") },
		"empty lines":               func(p *place) { p.write(".gitconfig", "\n\n[user]\n\tname = Ada\n\n\n") },
		"CRLF":                      func(p *place) { p.write(".gitconfig", "[user]\r\n\tname = Ada\r\n") },
		"CRLF, none at the end":     func(p *place) { p.write(".gitconfig", "[user]\r\n\tname = Ada") },
		"bytes that are no UTF-8":   func(p *place) { p.write(".gitconfig", "[user]\n\tname = \xff\xfe\xe4\n") },
		"backslashes and spaces":    func(p *place) { p.write(".gitconfig", "[a]\n  b = \"\\\\ \\n\" \\\n  c  \n\t\n") },
		"a long file":               func(p *place) { p.write(".gitconfig", long) },
		"another helper":            func(p *place) { p.write(".gitconfig", "[credential]\n\thelper = store\n") },
		"the user's own for GitHub": func(p *place) { p.write(".gitconfig", "[credential \"https://github.com\"]\n\thelper = store\n") },
		"only the XDG file":         func(p *place) { p.write(".config/git/config", "[user]\n\tname = Ada\n") },
		"both files": func(p *place) {
			p.write(".config/git/config", "[user]\n\tname = Ada\n")
			p.write(".gitconfig", "[user]\n\temail = ada@example.org")
		},
		"a linked file": func(p *place) {
			p.write("dotfiles/git/config", "[user]\n\tname = Ada")
			require.NoError(p.t, os.Symlink("dotfiles/git", p.home+"/link"))
			require.NoError(p.t, os.Symlink("link/config", p.home+"/.gitconfig"))
		},
		"a linked file, by its full name": func(p *place) {
			require.NoError(p.t, os.Symlink(p.write("dot files/config", "[user]\n\tname = Ada\n"), p.home+"/.gitconfig"))
		},
		"a link to a file yet to be": func(p *place) {
			p.write("dotfiles/other", "")
			require.NoError(p.t, os.Symlink("dotfiles/config", p.home+"/.gitconfig"))
		},
		"a file named by GIT_CONFIG_GLOBAL": func(p *place) {
			p.write(".gitconfig", "[user]\n\tname = Ada\n")
			p.env = append(p.env, "GIT_CONFIG_GLOBAL="+p.write("my config", "[user]\n\tname = Eve\n"))
		},
		"a folder of settings named by XDG_CONFIG_HOME": func(p *place) {
			p.write("settings/git/config", "[user]\n\tname = Eve\n")
			p.env = append(p.env, "XDG_CONFIG_HOME="+p.home+"/settings")
		},
	} {
		inEachShell(t, name, func(t *testing.T, p *place) {
			require.NoError(t, os.MkdirAll(p.home+"/.config", 0o755))
			before(p)
			untouched := p.state()

			require.Equal(t, "done", p.deliver(Options{}))
			require.Contains(t, p.fill("https", "github.com"), "password="+token+"\n")
			requireKept(t, untouched, p.state())

			require.Equal(t, "done", p.remove(Options{}))
			require.Equal(t, untouched, p.state())
			require.Equal(t, "done", p.remove(Options{}), "a second removal")
			require.Equal(t, untouched, p.state())
		})
	}
}

// requireKept checks that each file of before still begins as it did, with its
// mode, and that links are links.
func requireKept(t *testing.T, before, after map[string]string) {
	t.Helper()
	for path, what := range before {
		require.True(t, strings.HasPrefix(after[path], what), "%s was %q and is %q", path, what, after[path])
	}
}

func TestScriptRunTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	inEachShell(t, "", func(t *testing.T, p *place) {
		p.write(".gitconfig", "[user]\n\tname = Ada")
		options := Options{GitIdentity: true, RewriteSSH: true, GHCommand: true}
		c := gitCredential()
		require.Equal(t, "done", p.deliverAs(options, c))
		first, times := p.state(), p.times()
		require.Equal(t, "done", p.deliverAs(options, c))
		require.Equal(t, first, p.state())
		require.Equal(t, times, p.times())
	})
}

func (p *place) times() map[string]time.Time {
	times := map[string]time.Time{}
	for path := range p.state() {
		info, err := os.Lstat(p.home + path)
		require.NoError(p.t, err)
		if info.Mode().IsRegular() {
			times[path] = info.ModTime()
		}
	}
	return times
}

func TestScriptKeepsTheCredentialPrivate(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	require.NoError(t, os.MkdirAll(p.home+"/.config/ghscoped/github.com", 0o777))
	p.write(".config/ghscoped/github.com/credential", "left by somebody, readable by all")
	c := gitCredential()
	for range 2 { // the same token once more is the same files
		require.Equal(t, "done", p.deliverAs(Options{GHCommand: true}, c))
		for path, mode := range map[string]os.FileMode{
			".config/ghscoped": 0o700 | os.ModeDir, ".config/ghscoped/github.com/credential": 0o600, ".config/gh/hosts.yml": 0o600,
		} {
			info, err := os.Stat(filepath.Join(p.home, path))
			require.NoError(t, err)
			require.Equal(t, mode, info.Mode(), path)
			require.NoError(t, os.Chmod(filepath.Join(p.home, path), 0o755))
		}
	}
}

func TestScriptTakesAnyHome(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"with spaces & o'malley", `say "hi" \n`, "$HOME `id` $(id);|&", "tab\there ü$&@#", "-n", "*[section]=~",
	} {
		inEachShell(t, name, func(t *testing.T, p *place) {
			p.home = filepath.Join(p.home, name)
			require.NoError(t, os.MkdirAll(p.home+"/.config", 0o755))
			before := p.state()
			require.Equal(t, "done", p.deliver(Options{}))
			require.Contains(t, p.fill("https", "github.com"), "password="+token+"\n")
			first := p.state()
			require.Equal(t, "done", p.deliver(Options{}))
			require.Equal(t, len(first), len(p.state()))
			require.Equal(t, first["/.gitconfig"], p.state()["/.gitconfig"])
			require.Equal(t, "done", p.remove(Options{}))
			require.Equal(t, before, p.state())
		})
	}
}

func TestScriptPutsTheCredentialElsewhere(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	elsewhere := t.TempDir() + "/a folder/git's credential"
	for _, path := range []string{"~/secrets/github", elsewhere} {
		options := Options{CredentialPath: path}
		require.Equal(t, "done", p.deliver(options))
		require.NoFileExists(t, p.home+"/.config/ghscoped/github.com/credential")
		require.FileExists(t, strings.Replace(path, "~", p.home, 1))
		require.Contains(t, p.fill("https", "github.com"), token)
		require.Equal(t, "done", p.remove(options))
		require.NoFileExists(t, strings.Replace(path, "~", p.home, 1))
		require.Empty(t, p.fill("https", "github.com"))
	}
	for _, path := range []string{"relative/path", "/tmp/", "~/new\nline"} {
		_, err := New(Options{CredentialPath: path})
		require.Error(t, err)
	}
}

func TestScriptLeavesNoCredentialAtTheFormerPlace(t *testing.T) {
	t.Parallel()
	for _, former := range []string{"", "~/former", `~/it's "the" \n \\" '\''former'`} {
		inEachShell(t, former, func(t *testing.T, p *place) {
			before, now := Options{CredentialPath: former, GHCommand: true}, Options{CredentialPath: "~/now", GHCommand: true}
			file := filepath.Join(p.home, cmp.Or(strings.TrimPrefix(former, "~/"), ".config/ghscoped/github.com/credential"))

			require.Equal(t, "done", p.deliver(before))
			require.FileExists(t, file)
			killed := filepath.Join(filepath.Dir(file), ".ghscoped-new.killed")
			require.NoError(t, os.Mkdir(killed, 0o700))
			require.NoError(t, os.WriteFile(killed+"/ghscoped-new."+filepath.Base(file), []byte("password=ghu_killed\n"), 0o600))
			require.Equal(t, "done", p.deliverAs(now, withToken("ghu_next")))
			require.NoFileExists(t, file)
			require.NoDirExists(t, killed)
			require.Contains(t, p.fill("https", "github.com"), "password=ghu_next\n")
			require.Contains(t, p.read(".config/gh/hosts.yml"), "ghu_next", "the list of the gh command is still known as ours")

			require.Equal(t, "done", p.remove(before), "the change was taken back, and nothing delivered since")
			require.NoFileExists(t, p.home+"/now")
			require.NoDirExists(t, p.home+"/.config/gh")
			require.NoDirExists(t, p.home+"/.config/ghscoped")
		})
	}
}

// The user has taken the settings away that name the former place.
func TestScriptLeavesNoCredentialAtTheUsualPlace(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	require.Equal(t, "done", p.deliver(Options{}))
	require.NoError(t, os.Remove(p.home+"/.config/ghscoped/github.com/gitconfig"))
	require.Equal(t, "done", p.deliver(Options{CredentialPath: "~/now"}))
	require.NoFileExists(t, p.home+"/.config/ghscoped/github.com/credential")
	require.Contains(t, p.fill("https", "github.com"), token)
}

func TestScriptKeepsWhatIsNotTheFormerCredential(t *testing.T) {
	t.Parallel()
	former, now := Options{CredentialPath: "~/former"}, Options{CredentialPath: "~/now"}
	for name, c := range map[string]struct {
		prepare func(p *place)
		stays   string
	}{
		"a link": {func(p *place) {
			require.NoError(p.t, os.Rename(p.home+"/former", p.home+"/victim"))
			require.NoError(p.t, os.Symlink("victim", p.home+"/former"))
		}, "former"},
		"a folder": {func(p *place) {
			require.NoError(p.t, os.Remove(p.home+"/former"))
			p.write("former/file", "precious")
		}, "former/file"},
		"named by a file that is a link": {func(p *place) {
			fragment := p.home + "/.config/ghscoped/github.com/gitconfig"
			require.NoError(p.t, os.Rename(fragment, p.home+"/planted"))
			require.NoError(p.t, os.Symlink(p.home+"/planted", fragment))
		}, "former"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			require.Equal(t, "done", p.deliver(former))
			c.prepare(p)
			require.Equal(t, "done", p.remove(now))
			require.FileExists(t, filepath.Join(p.home, c.stays))
		})
	}

	t.Run("the same place under another name", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t)
		c := gitCredential()
		require.Equal(t, "done", p.deliverAs(now, c))
		own, link := p.home, t.TempDir()+"/home"
		require.NoError(t, os.Symlink(own, link))
		for _, next := range []credential.Credential{c, withToken("ghu_next")} {
			p.home = link
			require.Equal(t, "done", p.deliverAs(now, next))
			require.Contains(t, p.fill("https", "github.com"), "password="+next.Password.Reveal()+"\n")
			p.home = own
			require.Equal(t, "done", p.deliverAs(now, next))
			require.Contains(t, p.fill("https", "github.com"), "password="+next.Password.Reveal()+"\n")
		}
	})
}

// TestDeliverCredentialIsNotCommitted: in a home that is a repository, say of dotfiles.
func TestDeliverCredentialIsNotCommitted(t *testing.T) {
	t.Parallel()
	inEachShell(t, "", func(t *testing.T, p *place) {
		p.write(".config/other", "mine")
		require.Equal(t, "done", p.deliver(Options{}))
		p.git("", "init", "-q")
		p.git("", "add", "-A")
		staged := p.git("", "ls-files")
		require.Contains(t, staged, ".config/other\n", "git did add something")
		require.NotContains(t, staged, "ghscoped")
		p.git("", "clean", "-fdq")
		p.git("", "-c", "user.name=a", "-c", "user.email=a", "stash", "-u")
		require.Contains(t, p.fill("https", "github.com"), token, "nor does cleaning up take it away")

		require.Equal(t, "done", p.remove(Options{}))
		require.NoDirExists(t, p.home+"/.config/ghscoped")
	})
}
