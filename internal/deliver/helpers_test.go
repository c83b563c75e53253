package deliver

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// helperNamed is a git helper that notes that it was asked, and knows nothing.
func (p *place) helperNamed(name string) (path string) {
	p.t.Helper()
	path = p.home + "/helper-" + name
	require.NoError(p.t, os.WriteFile(path, fmt.Appendf(nil, "#!/bin/sh\ncat >/dev/null\necho %s $1 >>'%s/asked'\n", name, p.home), 0o755))
	return path
}

// asked are the helpers that git asks about an address, until one knows; ours by
// its answer.
func (p *place) asked(request string) string {
	p.t.Helper()
	require.NoError(p.t, os.RemoveAll(p.home+"/asked"))
	var asked []string
	answer := p.git("protocol=https\nhost=github.com\n"+request+"\n", "credential", "fill")
	if said, err := os.ReadFile(p.home + "/asked"); err == nil {
		asked = strings.Fields(strings.ReplaceAll(string(said), " get", ""))
	}
	if strings.Contains(answer, token) {
		asked = append(asked, "ours")
	}
	return strings.Join(asked, " ")
}

// git asks helpers in the order of the files, however exact their addresses are. So
// our empty helper would take those of a user for a part of the host off with the
// rest.
func TestDeliverKeepsTheUsersHelpersForAPartOfTheHost(t *testing.T) {
	t.Parallel()
	const acme, acmes, anything = "path=acme/papers.git\n", "path=acme/other.git\n", "path=octo/papers.git\n"
	section := func(address string, helpers ...string) string {
		text := "[credential \"" + address + "\"]\n"
		for _, helper := range helpers {
			text += "\thelper = " + helper + "\n"
		}
		return text
	}
	for _, c := range []struct {
		name   string
		config string // A, B and G are helpers
		want   map[string]string
	}{
		{"an organisation's", section("https://github.com/acme", "A"), map[string]string{acme: "a", anything: "ours"}},
		{"a repository's", section("https://github.com/acme/papers.git", "A"), map[string]string{acme: "a", acmes: "ours"}},
		{"of a user", section("https://me@github.com", "A"), map[string]string{"username=me\n" + anything: "a", anything: "ours"}},
		{"with a helper for all", section("https://github.com", "G") + section("https://github.com/acme", "A"), map[string]string{acme: "a", anything: "ours"}},
		{"with one of any host", "[credential]\n\thelper = G\n" + section("https://github.com/acme", "A"), map[string]string{acme: "a", anything: "ours"}},
		{"two at one address", section("https://github.com/acme", "A", "B"), map[string]string{acme: "a b"}},
		{"two at one address, in two places", section("https://github.com/acme", "A") + "[user]\n\tname = Ada\n" + section("https://github.com/acme", "B"), map[string]string{acme: "a b"}},
		{"two addresses, the wider one first", section("https://github.com/acme", "A") + section("https://github.com/acme/papers.git", "B"), map[string]string{acme: "a b", acmes: "a"}},
		{"two addresses, the wider one last", section("https://github.com/acme/papers.git", "B") + section("https://github.com/acme", "A"), map[string]string{acme: "b a", acmes: "a"}},
		{"with an empty one of its own", section("https://github.com/acme", "B", "", "A"), map[string]string{acme: "a"}},
		{"an empty one alone", section("https://github.com/acme", ""), map[string]string{acme: "", anything: "ours"}},
		{"written another way", section("HTTPS://GitHub.com:443/acme", "A"), map[string]string{acme: "a", anything: "ours"}},
		{"with characters that are quoted", section("https://github.com/acme", `"!A \"it's\" # 100%"`), map[string]string{acme: "a it's", anything: "ours"}},

		// Not for a part of it:
		{"of all of the host", section("https://github.com/", "G"), map[string]string{acme: "ours"}},
		{"of another host", section("https://gitlab.com/acme", "G"), map[string]string{acme: "ours"}},
		{"of a host of a like name", section("https://github.com.example.org/acme", "G"), map[string]string{acme: "ours"}},
		{"without encryption", section("http://github.com/acme", "G"), map[string]string{acme: "ours"}},
		{"at another port", section("https://github.com:8443/acme", "G"), map[string]string{acme: "ours"}},
	} {
		inEachShell(t, c.name, func(t *testing.T, p *place) {
			var pairs []string
			for _, name := range []string{"a", "b", "g"} {
				pairs = append(pairs, "= "+strings.ToUpper(name)+"\n", "= "+p.helperNamed(name)+"\n", `"!`+strings.ToUpper(name)+" ", `"!`+p.home+"/helper-"+name+" ")
			}
			config := strings.NewReplacer(pairs...).Replace(c.config)
			p.write(".gitconfig", config)
			for range 2 { // again, it finds what it has put back itself
				require.Equal(t, "done", p.deliver(Options{}))
				for request, want := range c.want {
					require.Equal(t, want, p.asked(request), request)
				}
			}
			require.Equal(t, 1, strings.Count(p.read(".config/ghscoped/github.com/gitconfig"), "/git-credential-ghscoped"))
			require.Equal(t, "done", p.deliver(Options{CredentialPath: "~/elsewhere"}))
			for request, want := range c.want {
				require.Equal(t, want, p.asked(request), request)
			}
			require.NoFileExists(t, p.home+"/.config/ghscoped/github.com/credential", "the former place is still found")
			require.Equal(t, "done", p.remove(Options{CredentialPath: "~/elsewhere"}))
			require.Equal(t, config, p.read(".gitconfig"))
			require.NoDirExists(t, p.home+"/.config/ghscoped")
		})
	}
}

// No copy of ours goes to a helper for a part of the host, as none goes to others.
func TestDeliverGivesTheUsersHelpersNoCopy(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.write(".gitconfig", "[credential \"https://github.com/acme\"]\n\thelper = "+p.helperNamed("a")+"\n")
	require.Equal(t, "done", p.deliver(Options{}))
	approved := p.git("protocol=https\nhost=github.com\npath=octo/papers\n\n", "credential", "fill")
	require.Contains(t, approved, token)
	require.NoError(t, os.RemoveAll(p.home+"/asked"))
	p.git(approved, "credential", "approve")
	require.NoFileExists(t, p.home+"/asked")
}

// A user may have our helper read a credential of their own for a part of the host:
// it is not taken for the one that was delivered before.
func TestDeliverTakesNoCredentialOfTheUsersForAFormerOne(t *testing.T) {
	t.Parallel()
	inEachShell(t, "", func(t *testing.T, p *place) {
		const mine = "protocol=https\nhost=github.com\nusername=me\npassword=mine\npassword_expiry_utc=4102444800\n"
		p.write("mine", mine)
		p.write(".gitconfig", fmt.Sprintf("[credential \"https://github.com/acme\"]\n\thelper = \"!'/bin/sh' '%[1]s/.config/ghscoped/github.com/git-credential-ghscoped' '%[1]s/mine'\"\n", p.home))
		require.Equal(t, "done", p.deliver(Options{}))
		require.Equal(t, "done", p.deliver(Options{}))
		require.Contains(t, p.git("protocol=https\nhost=github.com\npath=acme/papers\n\n", "credential", "fill"), "password=mine")
		require.Equal(t, "done", p.remove(Options{}))
		require.Equal(t, mine, p.read("mine"))
	})
}

// git had a helper that the user has set behind ours keep the token, and has it erase
// it; what is its own stays.
func TestRemoveHasGitEraseCopies(t *testing.T) {
	t.Parallel()
	inEachShell(t, "", func(t *testing.T, p *place) {
		const mine = "https://me:mine@github.com\nhttps://x-access-token:other@example.org\n"
		p.write(".git-credentials", mine)
		require.Equal(t, "done", p.deliver(Options{}))
		p.git("", "config", "--global", "credential.helper", "store")
		p.git(p.git("protocol=https\nhost=github.com\n\n", "credential", "fill"), "credential", "approve")
		require.Contains(t, p.read(".git-credentials"), "x-access-token:"+token+"@github.com")
		require.Equal(t, "done", p.remove(Options{}))
		require.Equal(t, mine, p.read(".git-credentials"))
	})
}

// One that does not end is not waited for for ever.
func TestRemoveDoesNotWaitForAHelperThatHangs(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.instantSleep("")
	p.write(".gitconfig", "[credential]\n\thelper = \"!f() { read -r line <'"+p.home+"/pipe'; }; f\"\n")
	mkfifo(t, p.home+"/pipe")
	require.Equal(t, "done", p.deliver(Options{}))
	require.Equal(t, "done", p.remove(Options{}))
	require.NoDirExists(t, p.home+"/.config/ghscoped")
	require.NoError(t, os.WriteFile(p.home+"/pipe", []byte("\n"), 0)) // the helper ends
}

// Where our block cannot stand in the file that git reads last, a helper that the user
// has set there comes behind ours, and the page says so. Set before ours, it is off.
func TestDeliverSaysThatAHelperComesBehind(t *testing.T) {
	t.Parallel()
	const general, ofHost = "[credential]\n\thelper = store\n", "[credential \"https://github.com\"]\n\thelper = store\n"
	for _, c := range []struct{ name, linked, xdg, variable, want string }{
		{"in a file that cannot be written", general, "", "", "helper_copies"},
		{"for the host", ofHost, "", "", "helper_copies"},
		{"for another host", "[credential \"https://example.org\"]\n\thelper = store\n", "", "", "done"},
		{"for a part of the host", "[credential \"https://github.com/acme\"]\n\thelper = store\n", "", "", "done"},
		{"switched off in its own file", general + "\thelper =\n", "", "", "done"},
		{"in the file of ours", "[user]\n\tname = Ada\n", general, "", "done"},
		{"in a variable", "[user]\n\tname = Ada\n", "", "cache", "helper_copies"},
		{"ours in a variable", general, "", "/opt/ghscoped git-credential-ghscoped", "done"},
	} {
		inEachShell(t, c.name, func(t *testing.T, of *place) {
			p := newHomeOf(t)
			p.shell, p.path = of.shell, of.path
			store := t.TempDir()
			require.NoError(t, os.WriteFile(store+"/gitconfig", []byte(c.linked), 0o444))
			require.NoError(t, os.Symlink(store+"/gitconfig", p.home+"/.gitconfig"))
			p.own(ada, 0o755, ".config")
			p.own(ada, 0o755, ".config/git")
			require.NoError(t, os.Chown(p.write(".config/git/config", c.xdg), ada, ada))
			if c.variable != "" {
				p.env = append(p.env, "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=credential.helper", "GIT_CONFIG_VALUE_0="+c.variable)
			}
			require.Equal(t, c.want, p.deliver(Options{}))
			require.FileExists(t, p.home+"/.config/ghscoped/github.com/credential")
			require.Equal(t, "done", p.remove(Options{}))
		})
	}
}
