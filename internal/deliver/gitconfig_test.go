package deliver

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/credential/credentialtest"
)

func TestGitconfigKeepsWhatTheUserDoesAfterwards(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, before, after string }{
		{"a section is added below", "[user]\n\tname = Ada\n", "BLOCK[alias]\n\tst = status\n"},
		{"a section is added below a file that had no newline", "[user]\n\tname = Ada", "BLOCK[alias]\n\tst = status\n"},
		{"a section is added to a file that was not there", "", "BLOCK[alias]\n\tst = status"},
		{"another include is added, as git does it", "[user]\n\tname = Ada\n", "ADD"},
		{"the last line is deleted", "[user]\n\tname = Ada\n", "NOEND[alias]\n\tst = status\n"},
		{"the block is deleted", "[user]\n\tname = Ada\n", ""},
	} {
		inEachShell(t, c.name, func(t *testing.T, p *place) {
			if c.before != "" {
				p.write(".gitconfig", c.before)
			}
			require.Equal(t, "done", p.deliver(Options{}))
			content := p.read(".gitconfig")
			wanted := c.before
			switch {
			case strings.HasPrefix(c.after, "BLOCK"):
				addition := strings.TrimPrefix(c.after, "BLOCK")
				p.write(".gitconfig", content+addition)
				if c.before != "" && !strings.HasSuffix(c.before, "\n") {
					wanted += "\n"
				}
				wanted += addition
			case c.after == "ADD":
				p.git("", "config", "--global", "--add", "include.path", "~/mine")
				require.Contains(t, p.read(".gitconfig"), "mine\n# <<< ghscoped <<<", "git adds it inside our block")
				wanted += "[include]\n\tpath = ~/mine\n"
			case strings.HasPrefix(c.after, "NOEND"):
				addition := strings.TrimPrefix(c.after, "NOEND")
				p.write(".gitconfig", strings.Replace(content, "# <<< ghscoped <<<\n", addition, 1))
				wanted += addition
			default:
				p.write(".gitconfig", c.before)
			}

			// The next delivery puts the block to the end again …
			require.Equal(t, "done", p.deliver(Options{}))
			require.True(t, strings.HasPrefix(p.read(".gitconfig"), wanted), p.read(".gitconfig"))
			require.True(t, strings.HasSuffix(p.read(".gitconfig"), "# <<< ghscoped <<<\n"))
			require.Equal(t, 1, strings.Count(p.read(".gitconfig"), "# >>> ghscoped >>>"))
			require.Contains(t, p.fill("https", "github.com"), token)

			// … and a removal leaves what the user wrote.
			require.Equal(t, "done", p.remove(Options{}))
			require.Equal(t, wanted, p.read(".gitconfig"))
		})
	}
}

func TestGitconfigBlockIsFoundWithOtherLineEnds(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.write(".gitconfig", "[user]\n\tname = Ada\n")
	require.Equal(t, "done", p.deliver(Options{}))
	p.write(".gitconfig", strings.ReplaceAll(p.read(".gitconfig"), "\n", "\r\n"))
	require.Equal(t, "done", p.deliver(Options{}))
	require.Equal(t, 1, strings.Count(p.read(".gitconfig"), "[include]"))
	require.Equal(t, "done", p.remove(Options{}))
	require.Equal(t, "[user]\r\n\tname = Ada\r\n", p.read(".gitconfig"))
}

func TestGitconfigBlockIsMovedFromAFileThatGitNoLongerWrites(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.write(".config/git/config", "[user]\n\tname = Ada\n")
	require.Equal(t, "done", p.deliver(Options{}))
	require.Contains(t, p.read(".config/git/config"), "ghscoped")

	p.write(".gitconfig", "[credential]\n\thelper = store\n")
	require.Equal(t, "done", p.deliver(Options{}))
	require.Equal(t, "[user]\n\tname = Ada\n", p.read(".config/git/config"))
	require.Contains(t, p.read(".gitconfig"), "ghscoped")
}

func TestGitconfigGivesNoOtherHelperACopy(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.write(".gitconfig", "[credential]\n\thelper = store\n[credential \"https://github.com\"]\n\thelper = store --file ~/another\n")
	approve := func(host string) {
		p.git("protocol=https\nhost="+host+"\nusername=x-access-token\npassword="+token+"\n\n", "credential", "approve")
	}
	approve("elsewhere.example")
	require.Contains(t, p.read(".git-credentials"), token, "git does copy, where it is let")
	require.NoError(t, os.Remove(p.home+"/.git-credentials"))

	require.Equal(t, "done", p.deliver(Options{}))
	require.Contains(t, p.fill("https", "github.com"), token)
	approve("github.com")
	require.NoFileExists(t, p.home+"/.git-credentials")
	require.NoFileExists(t, p.home+"/another")
}

func TestGitconfigHelperAnswersOnlyWhereItShould(t *testing.T) {
	t.Parallel()
	for shell, prepare := range shellsTried() {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			require.Equal(t, "done", p.deliver(Options{}))
			command, path := prepare(t)
			helper := func(operation, request string) string {
				return runHelper(t, p, command, path, operation, request)
			}
			answer := helper("get", "protocol=https\nhost=github.com\n\n")
			require.Regexp(t, `^username=x-access-token\npassword=`+token+`\npassword_expiry_utc=\d+\n$`, answer)
			require.Equal(t, answer, helper("get", "capability[]=authtype\nprotocol=https\nhost=github.com\npath=octo/cat.git\nusername=somebody\nwwwauth[]=Basic realm=\"GitHub\"\n"))

			for _, request := range []string{
				"protocol=https\nhost=github.com" + strings.Repeat("m", 1<<16) + "\n\n", "protocol=https\nhost=github.com:" + strings.Repeat("0", 1<<16) + "443\n\n",
				"protocol=https\nhost=github.com\r\n\n", "protocol=https\n\n", "host=github.com\n\n", "", "\n",
				"protocol=https\nhost=evil.example\n\nhost=github.com\n",
			} {
				require.Empty(t, helper("get", request), "%q", request)
			}
			for _, operation := range []string{"store", "erase", "", "list"} {
				before := p.state()
				require.Empty(t, helper(operation, "protocol=https\nhost=github.com\nusername=x-access-token\npassword="+token+"\n\n"))
				require.Equal(t, before, p.state())
			}
		})
	}
}

// The password is for git alone: not for "date", and not for a trace.
func TestGitconfigHelperShowsThePasswordToNobodyElse(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"sh", "bash"} {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			require.Equal(t, "done", p.deliver(Options{}))
			command, path := shells[shell](t)
			folder := t.TempDir()
			require.NoError(t, os.WriteFile(folder+"/date", []byte("#!/bin/sh\nexport -p >>"+p.home+"/log\nPATH="+path+" exec date \"$@\"\n"), 0o755))
			helper := exec.Command(command, p.home+"/.config/ghscoped/github.com/git-credential-ghscoped", p.home+"/.config/ghscoped/github.com/credential", "get")
			helper.Env = []string{"PATH=" + folder, "line=x", "username=x", "password=x"}
			if shell == "bash" {
				helper.Env = append(helper.Env, "SHELLOPTS=allexport:xtrace")
			}
			helper.Stdin = strings.NewReader("protocol=https\nhost=github.com\n\n")
			var trace strings.Builder
			helper.Stderr = &trace
			answer, err := helper.Output()
			require.NoError(t, err)
			require.Contains(t, string(answer), "password="+token)
			require.Contains(t, p.read("log"), "PATH", "date has been asked")
			require.NotContains(t, p.read("log")+trace.String(), token)
		})
	}
}

func TestGitconfigHelperSaysNothingOfAFileThatIsNone(t *testing.T) {
	t.Parallel()
	const file = ".config/ghscoped/github.com/credential"
	for name, spoil := range map[string]func(p *place){
		"a link to nowhere": func(p *place) {
			require.NoError(p.t, os.Remove(p.home+"/"+file))
			require.NoError(p.t, os.Symlink("nowhere", p.home+"/"+file))
		},
		"no password": func(p *place) { p.write(file, strings.Replace(p.read(file), "password="+token, "password=", 1)) },
		"no host":     func(p *place) { p.write(file, strings.Replace(p.read(file), "host=github.com", "host=", 1)) },
		"no end": func(p *place) {
			p.write(file, strings.Replace(p.read(file), "password_expiry_utc=", "password_expiry_utc=x", 1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			require.Equal(t, "done", p.deliver(Options{}))
			spoil(p)
			for _, host := range []string{"host=github.com\n", "host=\n"} {
				helper := exec.Command("/bin/sh", p.home+"/.config/ghscoped/github.com/git-credential-ghscoped", p.home+"/"+file, "get")
				helper.Stdin = strings.NewReader("protocol=https\n" + host + "\n")
				said, err := helper.CombinedOutput()
				require.NoError(t, err)
				require.Empty(t, string(said))
			}
		})
	}
}

// git itself agrees with the table: what it would not ask the helper, it gets no
// answer for.
func TestGitconfigHelperAnswersForTheHostsThatAreTheSameForGit(t *testing.T) {
	t.Parallel()
	for shell, prepare := range shellsTried() {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			command, path := prepare(t)
			places := map[string]*place{} // by the GitHub
			for _, q := range credentialtest.Questions() {
				p := places[q.GitHub]
				if p == nil {
					p = newPlace(t)
					p.shell, p.path = command, path
					require.Equal(t, "done", p.deliverAs(Options{}, credentialFor(q.GitHub)))
					places[q.GitHub] = p
				}
				answer := runHelper(t, p, command, path, "get", q.Text())
				require.Equal(t, q.Answered, strings.Contains(answer, "password="+token+"\n"), "%s: %q", q.Name, q.Host)
				require.Equal(t, q.Answered, answer != "", "%s: %q", q.Name, q.Host)
				filled := p.git(q.Text(), "credential", "fill")
				require.Equal(t, q.Answered, strings.Contains(filled, "password="+token+"\n"), "%s: %q, by git", q.Name, q.Host)
			}
		})
	}
}

func TestGitconfigHelperOffersNoExpiredCredential(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	expired := gitCredential()
	expired.ExpiresAt = time.Now().Add(-time.Second)
	require.Equal(t, "done", p.deliverAs(Options{}, expired))
	require.Empty(t, p.fill("https", "github.com"))
	// Without "date" it is git that minds the expiry, by what the helper says.
	require.Contains(t, runHelper(t, p, "/bin/sh", "", "get", "protocol=https\nhost=github.com\n\n"), "password_expiry_utc=")
}

func TestPlainHTTPIsForThisMachineOnly(t *testing.T) {
	t.Parallel()
	d, err := New(Options{})
	require.NoError(t, err)
	for host, accepted := range map[string]bool{
		"https://github.com": true, "https://ghe.example:8443": true, "http://127.0.0.1:8080": true, "http://[::1]:8080": true, "http://localhost": true,
		"http://github.com": false, "http://10.0.0.1": false, "http://localhost.evil.example": false, "ftp://127.0.0.1": false, "https://": false,
	} {
		_, err := d.delivery(credentialFor(host))
		require.Equal(t, accepted, err == nil, host)
	}
	p := newPlace(t)
	require.Equal(t, "done", p.deliverAs(Options{}, credentialFor("http://127.0.0.1:8080")))
	require.Contains(t, p.fill("http", "127.0.0.1:8080"), token)
	require.Empty(t, p.fill("https", "127.0.0.1:8080"))
	require.Empty(t, p.fill("http", "127.0.0.1:8081"))
}
