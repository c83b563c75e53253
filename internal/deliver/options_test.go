package deliver

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/credential"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

func TestIdentityIsSetOnlyWhereTheUserHasNone(t *testing.T) {
	t.Parallel()
	const name, noreply = `Octo "the \ Cat" O'Hara`, "583231+octo-cat@users.noreply.github.com"
	for _, c := range []struct {
		name                string
		gitconfig           string
		account             github.Account
		wantName, wantEmail string
	}{
		{"none", "", github.Account{ID: 583231, Login: "octo-cat", Name: name}, name, noreply},
		{"a public address", "", github.Account{ID: 583231, Login: "octo-cat", Name: "Ö", Email: "o@cat.example"}, "Ö", "o@cat.example"},
		{"no name at GitHub", "", github.Account{ID: 583231, Login: "octo-cat"}, "octo-cat", noreply},
		{"nothing at GitHub", "", github.Account{}, "", ""},
		{"control characters", "", github.Account{Name: "Octo\n[alias]\n\tx = !id\x00\r", Email: "\x1b\n"}, "Octo[alias]x = !id", ""},
		{"the user's own name", "[user]\n\tname = Ada\n", github.Account{ID: 583231, Login: "octo-cat", Name: name}, "Ada", noreply},
		{"the user's own address", "[user]\n\temail = ada@example.org", github.Account{Name: name, Email: "o@cat.example"}, name, "ada@example.org"},
		{"the user's own in an included file", "[include]\n\tpath = ~/mine\n", github.Account{Name: name, Email: "o@cat.example"}, "Ada", "ada@example.org"},
	} {
		inEachShell(t, c.name, func(t *testing.T, p *place) {
			p.write("mine", "[user]\n\tname = Ada\n\temail = ada@example.org\n")
			p.write(".gitconfig", c.gitconfig)
			wanted := gitCredential()
			wanted.Account = c.account
			for range 2 { // what the first delivery wrote is not the user's own
				require.Equal(t, "done", p.deliverAs(Options{GitIdentity: true}, wanted))
				require.Equal(t, c.wantName, strings.TrimSuffix(p.git("", "config", "user.name"), "\n"))
				require.Equal(t, c.wantEmail, strings.TrimSuffix(p.git("", "config", "user.email"), "\n"))
			}
			require.Equal(t, "done", p.remove(Options{}))
			require.Equal(t, c.gitconfig, p.read(".gitconfig"))
		})
	}
}

func TestIdentityTheUserSetsLaterWins(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	require.Equal(t, "done", p.deliver(Options{GitIdentity: true}))
	p.git("", "config", "--global", "user.name", "Ada")
	require.Equal(t, "done", p.deliver(Options{GitIdentity: true}))
	require.Equal(t, "Ada\n", p.git("", "config", "user.name"))
	require.Equal(t, "done", p.remove(Options{}))
	require.Equal(t, "[user]\n\tname = Ada\n", p.read(".gitconfig"))
}

func TestOptionsThatAreUnsetSetNothingButTheCredential(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	require.Equal(t, "done", p.deliver(Options{}))
	require.Empty(t, p.git("", "config", "user.name"))
	require.Empty(t, p.git("", "config", "--get-regexp", "^url"))
	require.NoDirExists(t, p.home+"/.config/gh")
}

func TestOptionSSHMakesAddressesOfTheHostHTTPS(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	require.Equal(t, "done", p.deliver(Options{RewriteSSH: true}))
	for address, wanted := range map[string]string{
		"git@github.com:octo/cat.git":                        "https://github.com/octo/cat.git",
		"ssh://git@github.com/octo/cat":                      "https://github.com/octo/cat",
		"git@github.com:/octo/cat":                           "https://github.com/octo/cat",
		"github.com:octo/cat":                                "https://github.com/octo/cat",
		"github.com:/octo/cat":                               "https://github.com/octo/cat",
		"ssh://github.com/octo/cat":                          "https://github.com/octo/cat",
		"ssh://git@github.com:22/octo/cat":                   "https://github.com/octo/cat",
		"ssh://git@ssh.github.com:443/octo/cat":              "https://github.com/octo/cat",
		"ssh://ssh.github.com:443/octo/cat":                  "https://github.com/octo/cat",
		"git@ssh.github.com:octo/cat":                        "https://github.com/octo/cat",
		"git+ssh://git@github.com/octo/cat":                  "https://github.com/octo/cat",
		"ssh://git@ssh.github.com.evil.example:443/octo/cat": "ssh://git@ssh.github.com.evil.example:443/octo/cat",
		"https://github.com/octo/cat":                        "https://github.com/octo/cat",
		"git@github.com.evil.example:octo/cat":               "git@github.com.evil.example:octo/cat",
		"git@gitlab.example:octo/cat.git":                    "git@gitlab.example:octo/cat.git",
		"ssh://git@gitlab.example/octo/cat.git":              "ssh://git@gitlab.example/octo/cat.git",
	} {
		require.Equal(t, wanted+"\n", p.git("", "ls-remote", "--get-url", address))
	}
}

func TestOptionGHSignsTheCommandInUnlessTheUserDid(t *testing.T) {
	t.Parallel()
	const hosts = ".config/gh/hosts.yml"
	options := Options{GHCommand: true}
	inEachShell(t, "", func(t *testing.T, p *place) {
		require.NoError(t, os.MkdirAll(p.home+"/.config", 0o755))
		untouched := p.state()

		require.Equal(t, "done", p.deliver(options))
		require.Equal(t, 2, strings.Count(p.read(hosts), "oauth_token: "+token))
		require.Equal(t, "done", p.remove(options))
		require.Equal(t, untouched, p.state())

		// gh writes the list again at its first start; it is ours nevertheless.
		require.Equal(t, "done", p.deliver(options))
		p.write(hosts, "github.com:\n    oauth_token: "+token+"\n")
		require.Equal(t, "done", p.deliverAs(options, withToken("ghu_next")))
		require.Contains(t, p.read(hosts), "oauth_token: ghu_next")

		// The user signs in: from then on it is the user's.
		own := strings.Replace(p.read(hosts), "ghu_next", "gho_theUsersOwn", 1)
		p.write(hosts, own)
		require.Equal(t, "done", p.deliver(options))
		require.Equal(t, own, p.read(hosts))
		require.Equal(t, "done", p.remove(options))
		require.Equal(t, own, p.read(hosts))
	})
}

// What stands in gh's list must be the same to every reader of YAML.
func TestOptionGHSignsInWithPlainNamesAndTokensOnly(t *testing.T) {
	t.Parallel()
	d := newDeliverer(t, Options{GHCommand: true})
	for _, c := range []struct {
		login, token string
		signsIn      bool
	}{
		{"octo-cat_A.z0", "ghu_azAZ09.-", true},
		{"", "ghu_x", false},
		{"octo cat", "ghu_x", false},
		{"octo", "ghu: x", false},
		{"octo", "a/b", false},
		{"octo", "a:b", false},
		{"octo", "a@b", false},
		{"octo", "a[b", false},
		{"octo", "a`b", false},
		{"octo", "a{b", false},
		{"octo", "añb", false},
	} {
		account := withToken(c.token)
		account.Account.Login = c.login
		job, err := d.delivery(account)
		require.NoError(t, err)
		require.Equal(t, c.signsIn, strings.Contains(job.script, "\ngh_user='"+c.login+"'\n") && c.login != "", "%q %q", c.login, c.token)
	}
}

func TestOptionGHSwitchedOffTakesTheTokenBack(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	require.Equal(t, "done", p.deliver(Options{GHCommand: true}))
	require.Equal(t, "done", p.deliver(Options{}))
	require.NoFileExists(t, p.home+"/.config/gh/hosts.yml")
}

func withToken(token string) credential.Credential {
	c := gitCredential()
	c.Password = secret.New(token)
	return c
}
