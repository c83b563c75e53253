package deliver

import (
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const enterprise = "https://ghe.example:8443"

func optionsFor(host string) Options {
	address, err := url.Parse(host)
	if err != nil {
		panic(err)
	}
	return Options{Host: address, RewriteSSH: true}
}

// TestDeliverForTwoHosts: two services on one Hub, each for a GitHub of its own.
func TestDeliverForTwoHosts(t *testing.T) {
	t.Parallel()
	public := "https://github.com"
	for _, first := range []string{public, enterprise} {
		for _, leaves := range []string{public, enterprise} {
			for shell, prepare := range shellsTried() {
				t.Run(first+" first, "+leaves+" leaves/"+shell, func(t *testing.T) {
					t.Parallel()
					p := newPlace(t)
					p.shell, p.path = prepare(t)
					require.NoError(t, os.Mkdir(p.home+"/.config", 0o755))
					p.write(".gitconfig", "[user]\n\tname = Ada")
					untouched := p.state()
					second, stays := public, public
					if first == public {
						second = enterprise
					}
					if leaves == public {
						stays = enterprise
					}
					delivered := map[string]string{}
					for _, host := range []string{first, second, first} {
						c := credentialFor(host)
						require.Equal(t, "done", p.deliverAs(optionsFor(host), c))
						delivered[host] = c.Password.Reveal()
					}
					for host := range delivered {
						require.Contains(t, p.fill("https", strings.TrimPrefix(host, "https://")), "password=")
					}
					require.Equal(t, enterprise+"/o/r\n", p.git("", "ls-remote", "--get-url", "git@ghe.example:o/r"))
					require.Equal(t, "https://github.com/o/r\n", p.git("", "ls-remote", "--get-url", "git@github.com:o/r"))
					require.Equal(t, 1, strings.Count(p.read(".gitconfig"), "[include]"))

					require.Equal(t, "done", p.remove(optionsFor(leaves)))
					require.Empty(t, p.fill("https", strings.TrimPrefix(leaves, "https://")))
					require.Contains(t, p.fill("https", strings.TrimPrefix(stays, "https://")), "password=")
					for path := range p.state() {
						require.NotContains(t, path, Folder(optionsFor(leaves).Host))
					}
					require.NotContains(t, p.read(".config/ghscoped/gitconfig"), Folder(optionsFor(leaves).Host))

					require.Equal(t, "done", p.remove(optionsFor(stays)))
					require.Equal(t, untouched, p.state())
				})
			}
		}
	}
}

// formerRelease is a home in which the release before this one has delivered: all
// files in ~/.config/ghscoped itself.
func (p *place) formerRelease(host string) {
	p.t.Helper()
	top := p.home + "/.config/ghscoped"
	p.write(".gitconfig", "[user]\n\tname = Ada\n"+
		"# >>> ghscoped >>> added by your JupyterHub, removed when you disconnect GitHub (with the newline before it)\n"+
		"[include]\n\tpath = \""+top+"/gitconfig\"\n# <<< ghscoped <<<\n")
	p.write(".config/ghscoped/gitconfig", "# Written by your JupyterHub's GitHub connection, which removes it again.\n[credential \""+host+"\"]\n\thelper =\n"+
		"\thelper = \"!'/bin/sh' '"+top+"/git-credential-ghscoped' '"+top+"/credential'\"\n")
	p.write(".config/ghscoped/git-credential-ghscoped", helperText)
	p.write(".config/ghscoped/credential", "protocol=https\nhost="+strings.TrimPrefix(host, "https://")+
		"\nusername=x-access-token\npassword=ghu_former\npassword_expiry_utc=4102444800\n")
	p.write(".config/gh/hosts.yml", "github.com:\n    oauth_token: ghu_former\n")
	require.NoError(p.t, exec.Command("chmod", "-R", "go-rwx", top).Run())
	require.Contains(p.t, p.fill("https", strings.TrimPrefix(host, "https://")), "password=ghu_former")
}

func TestDeliverTakesOverWhatTheFormerReleaseLeft(t *testing.T) {
	t.Parallel()
	for shell, prepare := range shellsTried() {
		at := func(t *testing.T) *place {
			t.Parallel()
			p := newPlace(t)
			p.shell, p.path = prepare(t)
			p.formerRelease(enterprise)
			return p
		}
		const host = "ghe.example:8443"
		nothing := func(p *place) {
			require.Equal(p.t, "[user]\n\tname = Ada", p.read(".gitconfig"))
			require.NoDirExists(p.t, p.home+"/.config/ghscoped")
		}
		t.Run("a delivery/"+shell, func(t *testing.T) {
			p := at(t)
			require.Equal(t, "done", p.deliverAs(optionsFor(enterprise), credentialFor(enterprise)))
			require.Contains(t, p.fill("https", host), "password="+token)
			require.NoFileExists(t, p.home+"/.config/ghscoped/credential")
			require.NoFileExists(t, p.home+"/.config/ghscoped/git-credential-ghscoped")
			require.NoFileExists(t, p.home+"/.config/gh/hosts.yml", "its token is known as ours")
			require.Equal(t, "done", p.remove(optionsFor(enterprise)))
			nothing(p)
		})
		t.Run("a removal/"+shell, func(t *testing.T) {
			p := at(t)
			require.Equal(t, "done", p.remove(optionsFor(enterprise)))
			nothing(p)
		})
		t.Run("a delivery for another host/"+shell, func(t *testing.T) {
			p := at(t)
			require.Equal(t, "done", p.deliver(Options{}))
			require.Contains(t, p.fill("https", "github.com"), "password="+token)
			require.Contains(t, p.fill("https", host), "password=ghu_former", "it still works")
			require.Equal(t, "done", p.deliverAs(optionsFor(enterprise), credentialFor(enterprise)))
			require.Contains(t, p.fill("https", host), "password="+token)
			require.NoFileExists(t, p.home+"/.config/ghscoped/credential")
			require.NoFileExists(t, p.home+"/.config/ghscoped/git-credential-ghscoped")
			require.Equal(t, "done", p.remove(Options{}))
			require.Contains(t, p.fill("https", host), "password="+token)
			require.Equal(t, "done", p.remove(optionsFor(enterprise)))
			nothing(p)
		})
		t.Run("a removal for another host/"+shell, func(t *testing.T) {
			p := at(t)
			require.Equal(t, "done", p.remove(Options{}))
			require.Contains(t, p.fill("https", host), "password=ghu_former")
			require.Equal(t, "done", p.remove(optionsFor(enterprise)))
			nothing(p)
		})
	}
}
