package gitconfig_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/gitconfig"
)

var lines = []string{`[credential "https://github.com"]`, "\thelper =", "\thelper = /opt/ghscoped git-credential-ghscoped",
	"\tuseHttpPath = true # by ghscoped setup"}

// git asks the real git about one file.
func git(t *testing.T, file string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"config", "--file", file}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "HOME="+t.TempDir())
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

func TestRemoveLeavesTheFileAsItWas(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]string{
		"ordinary":              "[user]\n\tname = Ada\n",
		"no newline at its end": "[user]\n\tname = Ada",
		"empty":                 "",
		"only a comment":        "# mine\n",
		"Windows lines":         "[user]\r\n\tname = Ada\r\n",
		"an include":            "[include]\n\tpath = ~/other\n",
		"another helper":        "[credential]\n\thelper = store\n[credential \"https://github.com\"]\n\thelper = cache\n",
		"blank lines":           "\n\n[user]\n\n\tname = Ada\n\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "config")
			require.NoError(t, os.WriteFile(file, []byte(before), 0o600))
			for range 2 { // the second time finds what the first left
				_, err := gitconfig.Put(t.Context(), file, lines)
				require.NoError(t, err)
			}
			require.Equal(t, "\n/opt/ghscoped git-credential-ghscoped\n",
				"\n"+last(git(t, file, "--get-all", "credential.https://github.com.helper")))
			info, err := os.Stat(file)
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

			changed, err := gitconfig.Remove(t.Context(), file)
			require.NoError(t, err)
			require.True(t, changed)
			after, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, before, string(after))
			require.NoFileExists(t, file+".lock")
		})
	}
}

func last(text string) string {
	all := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	return all[len(all)-1] + "\n"
}

func TestPutTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config")
	changed, err := gitconfig.Put(t.Context(), file, lines)
	require.NoError(t, err)
	require.True(t, changed)
	changed, err = gitconfig.Put(t.Context(), file, lines)
	require.NoError(t, err)
	require.False(t, changed)
}

func TestRemoveTakesAwayAFileMadeForIt(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config")
	_, err := gitconfig.Put(t.Context(), file, lines)
	require.NoError(t, err)
	_, err = gitconfig.Remove(t.Context(), file)
	require.NoError(t, err)
	require.NoFileExists(t, file)

	changed, err := gitconfig.Remove(t.Context(), file)
	require.NoError(t, err)
	require.False(t, changed)
}

func TestRemoveKeepsWhatWasAddedSince(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config")
	require.NoError(t, os.WriteFile(file, []byte("[user]\n\tname = Ada"), 0o644))
	_, err := gitconfig.Put(t.Context(), file, lines)
	require.NoError(t, err)
	git(t, file, "credential.https://github.com.username", "ada") // lands between our lines
	git(t, file, "core.editor", "vi")                             // lands behind them

	_, err = gitconfig.Remove(t.Context(), file)
	require.NoError(t, err)
	require.Equal(t, "Ada\n", git(t, file, "user.name"))
	require.Equal(t, "ada\n", git(t, file, "credential.https://github.com.username"))
	require.Equal(t, "vi\n", git(t, file, "core.editor"))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NotContains(t, string(text), "ghscoped")
}

func TestRemoveKeepsASettingOfOursThatWasChangedSince(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config")
	_, err := gitconfig.Put(t.Context(), file, lines)
	require.NoError(t, err)
	require.Equal(t, "true\n", git(t, file, "credential.https://github.com.useHttpPath"))
	git(t, file, "credential.https://github.com.useHttpPath", "false")
	_, err = gitconfig.Remove(t.Context(), file)
	require.NoError(t, err)
	require.Equal(t, "false\n", git(t, file, "credential.https://github.com.useHttpPath"))
}

// git takes the end mark along with the section that stands before it.
func TestWithoutTheEndMarkWhatFollowsIsTheUsers(t *testing.T) {
	t.Parallel()
	rewrite := []string{`[url "https://github.com/"]`, "\tinsteadOf = git@github.com:"}
	const theirs = "[credential \"https://gitlab.example\"]\n\thelper =\n\thelper = store\n\n" +
		"[url \"https://gitlab.example/\"]\n\tinsteadOf = git@gitlab.example:\n[empty]\n"
	for name, test := range map[string]struct {
		lines []string
		gone  string
	}{
		"nothing of ours is left": {lines, "credential.https://github.com"},
		"a section of ours is":    {slices.Concat(lines, rewrite), "url.https://github.com/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "config")
			const before = "[user]\n\tname = Ada\n"
			require.NoError(t, os.WriteFile(file, []byte(before), 0o644))
			_, err := gitconfig.Put(t.Context(), file, test.lines)
			require.NoError(t, err)
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(file, append(text, theirs...), 0o644))
			git(t, file, "--remove-section", test.gone)
			text, err = os.ReadFile(file)
			require.NoError(t, err)
			require.NotContains(t, string(text), "<<<", "git has left the mark, and this tests nothing")

			_, err = gitconfig.Put(t.Context(), file, test.lines)
			require.NoError(t, err)
			text, err = os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, 1, strings.Count(string(text), "git-credential-ghscoped"))
			require.True(t, strings.HasPrefix(string(text), before+theirs), string(text))
			_, err = gitconfig.Remove(t.Context(), file)
			require.NoError(t, err)
			text, err = os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, before+theirs, string(text))
		})
	}
}

func TestPutFollowsALinkWhichStays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	real, link := filepath.Join(dir, "dotfiles"), filepath.Join(dir, ".gitconfig")
	require.NoError(t, os.WriteFile(real, []byte("[user]\n"), 0o644))
	require.NoError(t, os.Symlink("dotfiles", link))
	_, err := gitconfig.Put(t.Context(), link, lines)
	require.NoError(t, err)
	target, err := os.Readlink(link)
	require.NoError(t, err)
	require.Equal(t, "dotfiles", target)
	text, err := os.ReadFile(real)
	require.NoError(t, err)
	require.Contains(t, string(text), "# >>> ghscoped setup >>>")
}

// soon ends while a lock that stays is waited for.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

func requireCode(t *testing.T, code string, err error) {
	t.Helper()
	var e *gitconfig.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, e.Code)
}

func TestPutChangesNothingWhileGitChangesTheFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config")
	require.NoError(t, os.WriteFile(file+".lock", nil, 0o644))
	_, err := gitconfig.Put(soon(t), file, lines)
	requireCode(t, gitconfig.Busy, err)
	require.FileExists(t, file+".lock", "it is not ours")
	require.NoFileExists(t, file)
}

// TestPutWhileGitChangesTheFile: git sets values, and others of us put and remove,
// all at once; git does not wait for its lock, and so its caller has to.
func TestPutLosesNothingThatGitWritesMeanwhile(t *testing.T) {
	t.Parallel()
	for range 20 {
		file := filepath.Join(t.TempDir(), "config")
		require.NoError(t, os.WriteFile(file, []byte("[user]\n\tname = Ada\n"), 0o644))
		var all sync.WaitGroup
		all.Go(func() {
			_, err := gitconfig.Put(t.Context(), file, lines)
			assert.NoError(t, err)
		})
		all.Go(func() {
			for range 10 {
				_, err := gitconfig.Put(t.Context(), file, lines)
				assert.NoError(t, err)
				_, err = gitconfig.Remove(t.Context(), file)
				assert.NoError(t, err)
			}
		})
		for i := range 8 {
			all.Go(func() {
				for {
					said, err := exec.Command("git", "config", "--file", file, fmt.Sprintf("race.key%d", i), "kept").CombinedOutput()
					if err == nil {
						return
					}
					if !strings.Contains(string(said), "could not lock") {
						t.Errorf("git: %s", said)
						return
					}
				}
			})
		}
		all.Wait()
		_, err := gitconfig.Remove(t.Context(), file)
		require.NoError(t, err)
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(string(text), "[user]\n\tname = Ada\n"), string(text))
		require.Equal(t, 8, strings.Count(string(text), " = kept\n"), string(text))
		require.NotContains(t, string(text), "ghscoped")
		left, err := os.ReadDir(filepath.Dir(file))
		require.NoError(t, err)
		require.Len(t, left, 1)
	}
}

func TestUserFileIsTheOneThatGitWrites(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		make []string
		env  map[string]string
		want string
	}{
		{"none there", nil, nil, ".gitconfig"},
		{"the new place only", []string{".config/git/config"}, nil, ".config/git/config"},
		{"both", []string{".config/git/config", ".gitconfig"}, nil, ".gitconfig"},
		{"XDG_CONFIG_HOME", []string{"xdg/git/config"}, map[string]string{"XDG_CONFIG_HOME": "HOME/xdg"}, "xdg/git/config"},
		{"GIT_CONFIG_GLOBAL", []string{".gitconfig"}, map[string]string{"GIT_CONFIG_GLOBAL": "HOME/named"}, "named"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			home := t.TempDir()
			for _, file := range c.make {
				require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(home, file)), 0o755))
				require.NoError(t, os.WriteFile(filepath.Join(home, file), nil, 0o644))
			}
			env := []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1"}
			getenv := map[string]string{"HOME": home}
			for name, value := range c.env {
				getenv[name] = strings.Replace(value, "HOME", home, 1)
				env = append(env, name+"="+getenv[name])
			}
			got, err := gitconfig.UserFile(func(name string) (string, bool) {
				value, set := getenv[name]
				return value, set
			})
			require.NoError(t, err)
			require.Equal(t, filepath.Join(home, c.want), got)

			cmd := exec.Command("git", "config", "--global", "a.b", "c")
			cmd.Env = env
			require.NoError(t, cmd.Run())
			text, err := os.ReadFile(got)
			require.NoError(t, err)
			require.Contains(t, string(text), "[a]", "git itself wrote there")
		})
	}
}

// TestPutFollowsNothingPlanted: somebody who can write beside the file has put a
// link or a pipe where the new text would be written first.
func TestPutFollowsNothingPlanted(t *testing.T) {
	t.Parallel()
	for name, plant := range map[string]func(t *testing.T, victim, at string){
		"a link":       func(t *testing.T, victim, at string) { require.NoError(t, os.Symlink(victim, at)) },
		"a hard link":  func(t *testing.T, victim, at string) { require.NoError(t, os.Link(victim, at)) },
		"a dead link":  func(t *testing.T, victim, at string) { require.NoError(t, os.Symlink(victim+"-not-there", at)) },
		"a named pipe": func(t *testing.T, _, at string) { require.NoError(t, syscall.Mkfifo(at, 0o666)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			file, victim := folder+"/config", folder+"/victim"
			require.NoError(t, os.WriteFile(file, []byte("[user]\n\tname = Ada\n"), 0o644))
			require.NoError(t, os.WriteFile(victim, []byte("precious"), 0o600))
			plant(t, victim, file+".lock")
			_, err := gitconfig.Put(soon(t), file, lines)
			requireCode(t, gitconfig.Busy, err)
			content, err := os.ReadFile(victim)
			require.NoError(t, err)
			require.Equal(t, "precious", string(content))
			require.NoFileExists(t, victim+"-not-there")
		})
	}
}

// TestRemoveKeepsWhatGHHasPut: "gh auth setup-git" replaces all helpers of the host
// by an empty one and its own.
func TestRemoveKeepsWhatGHHasPut(t *testing.T) {
	t.Parallel()
	const before = "[user]\n\tname = Ada\n"
	for name, put := range map[string][]string{"helpers": lines[:3], "all": slices.Concat(lines, gitconfig.RewriteSSH("https://github.com/", "github.com"))} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "config")
			require.NoError(t, os.WriteFile(file, []byte(before), 0o644))
			_, err := gitconfig.Put(t.Context(), file, put)
			require.NoError(t, err)
			const key, gh = "credential.https://github.com.helper", "!/usr/bin/gh auth git-credential"
			git(t, file, "--replace-all", key, "")
			git(t, file, "--add", key, gh)

			_, err = gitconfig.Remove(t.Context(), file)
			require.NoError(t, err)
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, before+"[credential \"https://github.com\"]\n\thelper = \n\thelper = "+gh+"\n", string(text))

			// Set up again behind it, and undone, it stays as well.
			_, err = gitconfig.Put(t.Context(), file, put)
			require.NoError(t, err)
			_, err = gitconfig.Remove(t.Context(), file)
			require.NoError(t, err)
			again, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(text), string(again))
		})
	}
}

// The settings stand in a file beside, and go with the block.
func TestPutIncluded(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]string{"no file": "", "a file": "[user]\n\tname = Ada\n", "a block with the settings in it": "[user]\n\tname = Ada\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), `con "fig`)
			if before != "" {
				require.NoError(t, os.WriteFile(file, []byte(before), 0o600))
			}
			if strings.HasPrefix(name, "a block") {
				_, err := gitconfig.Put(t.Context(), file, lines)
				require.NoError(t, err)
			}
			for i := range 2 {
				changed, err := gitconfig.PutIncluded(t.Context(), file, lines)
				require.NoError(t, err)
				require.Equal(t, i == 0, changed)
			}
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			require.NotContains(t, string(text), "helper")
			require.Equal(t, "/opt/ghscoped git-credential-ghscoped\n", last(git(t, file, "--includes", "--get-all", "credential.https://github.com.helper")))
			require.NoError(t, os.Rename(file+".ghscoped", file+".away"))
			git(t, file, "--includes", "--list") // on another machine
			require.NoError(t, os.Rename(file+".away", file+".ghscoped"))

			changed, err := gitconfig.Remove(t.Context(), file)
			require.NoError(t, err)
			require.True(t, changed)
			require.NoFileExists(t, file+".ghscoped")
			text, _ = os.ReadFile(file) // gone, where there was none
			require.Equal(t, before, string(text))
		})
	}
}

// Where the settings cannot be written, nothing names them.
func TestPutIncludedWritesBothOrNone(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config")
	require.NoError(t, os.Mkdir(file+".ghscoped", 0o700))
	_, err := gitconfig.PutIncluded(t.Context(), file, lines)
	require.Error(t, err)
	require.NoFileExists(t, file)
}
