package deliver

import (
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// said is all that a person sees of git's search for a credential.
func (p *place) said(variables ...string) string {
	p.t.Helper()
	fill := exec.Command("git", "credential", "fill")
	fill.Env = append(append(p.environment(), "GIT_ASKPASS=/bin/false"), variables...)
	fill.Dir = p.home
	fill.Stdin = strings.NewReader("protocol=https\nhost=github.com\n\n")
	output, _ := fill.CombinedOutput() // without a credential git fails
	return string(output)
}

func TestExpireLeavesTheHelperWhichNamesThePage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		page *url.URL
		says string
	}{
		"a page":          {&url.URL{Scheme: "https", Host: "hub.example.org", Path: "/services/connect-github/"}, "Connect again: https://hub.example.org/services/connect-github/"},
		"a page in quote": {&url.URL{Scheme: "https", Host: "hub.example.org", RawQuery: "'$(id)\"%s`"}, "Connect again: https://hub.example.org?'$(id)\"%s`"},
		"no page known":   {nil, `Connect again: "Connect GitHub" in the Services menu`},
	} {
		inEachShell(t, name, func(t *testing.T, p *place) {
			options := Options{Page: c.page, GitIdentity: true}
			require.Equal(t, "done", p.expire(options), "where nothing is")
			require.NoDirExists(t, p.home+"/.config")

			require.Equal(t, "done", p.deliver(options))
			before := p.state()
			require.Equal(t, "done", p.expire(options))
			require.NoFileExists(t, p.home+"/.config/ghscoped/github.com/credential")
			after := p.state()
			delete(before, "/.config/ghscoped/github.com/credential")
			require.Equal(t, before, after, "nothing else goes")
			require.Contains(t, p.said(), c.says)

			require.Equal(t, "done", p.expire(options), "twice")
			require.Equal(t, "done", p.deliver(options))
			require.Contains(t, p.said(), "password=")
			require.Equal(t, "done", p.expire(options))
			require.Equal(t, "done", p.remove(options))
			require.NoDirExists(t, p.home+"/.config/ghscoped")
			require.NoFileExists(t, p.home+"/.gitconfig")
		})
	}
}

func TestHelperHasGitEndWhereAnEditorWouldAsk(t *testing.T) {
	t.Parallel()
	inEachShell(t, "ended", func(t *testing.T, p *place) {
		require.Equal(t, "done", p.deliver(Options{}))
		require.Equal(t, "done", p.expire(Options{}))
		for name, test := range map[string]struct {
			variables []string
			ends      bool
		}{
			"VS Code":                  {[]string{"GIT_ASKPASS=/ide/askpass.sh", "VSCODE_GIT_ASKPASS_MAIN=/ide/askpass-main.js"}, true},
			"RStudio":                  {[]string{"GIT_ASKPASS=rpostback-askpass"}, true},
			"RStudio, by its path":     {[]string{"GIT_ASKPASS=/rstudio/bin/rpostback-askpass"}, true},
			"a program of the user's":  {nil, false},
			"VS Code, switched off":    {[]string{"GIT_ASKPASS=", "GIT_TERMINAL_PROMPT=0", "VSCODE_GIT_ASKPASS_MAIN=/ide/askpass-main.js"}, false},
			"a program of a like name": {[]string{"GIT_ASKPASS=/bin/my-rpostback-askpass"}, false},
		} {
			said := p.said(test.variables...)
			require.Contains(t, said, "Connect again", name)
			require.Equal(t, test.ends, strings.Contains(said, "told us to quit"), "%s: %s", name, said)
		}
	})
}

func TestExpireTakesOutEveryCopy(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.env = append(p.env, "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=credential.helper", "GIT_CONFIG_VALUE_0=store")
	require.Equal(t, "helper_copies", p.deliver(Options{CredentialPath: "~/former", GHCommand: true}))
	require.Contains(t, p.read(".config/gh/hosts.yml"), token)
	p.git("protocol=https\nhost=github.com\nusername=x-access-token\npassword="+token+"\n\n", "credential", "approve")
	require.Contains(t, p.read(".git-credentials"), token)

	require.Equal(t, "done", p.expire(Options{}), "the deployer has chosen another place since")
	requireNoToken(t, p.home)
}

func TestHelperNamesThePageOnceTheCredentialHasExpired(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	c := gitCredential()
	c.ExpiresAt = time.Now().Add(-time.Minute)
	page := &url.URL{Scheme: "https", Host: "hub.example.org", Path: "/services/connect-github/"}
	require.Equal(t, "done", p.deliverAs(Options{Page: page}, c))
	require.Contains(t, p.said(), "Connect again: "+page.String())
}
