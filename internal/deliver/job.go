package deliver

import (
	"crypto/rand"
	"embed"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/credential"
	"github.com/ghscoped/ghscoped-service/internal/gitconfig"
	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/webaddr"
)

//go:embed script
var parts embed.FS

// scriptText is the program, its parts in the order in which they are needed.
// It is made at its first use: the git helper has none.
var scriptText = sync.OnceValue(func() string {
	var text strings.Builder
	for _, part := range []string{"base", "home", "gh", "gitconfig", "main"} {
		content, err := parts.ReadFile("script/" + part + ".sh")
		if err != nil {
			panic(err) // it is in the binary
		}
		text.Write(content)
	}
	return text.String()
})

//go:embed helper.sh
var helperText string

// shell runs the script, and git's helper later on.
const shell = "/bin/sh"

// job is one run of the script.
type job struct {
	// script is the whole program. It holds no secret.
	script string
	// input goes to its standard input once it is ready.
	input secret.String
	// markA and markB, joined, mark each line of the script's answer.
	markA, markB string
}

// answer reads one line of output: the script's word (listening, ready, done,
// error) and what comes with it: an error's code, and with ready the server's own
// Hub token. Other lines, echoes included, give "".
func (j job) answer(line string) (word, with string) {
	_, rest, _ := strings.Cut(line, j.prefix())
	word, with, _ = strings.Cut(strings.TrimSpace(rest), " ")
	return word, with
}

func (j job) prefix() string { return "ghscoped " + j.markA + j.markB + " " }

// end is the last line of the input.
func (j job) end() string { return "end " + j.markA + j.markB + "\n" }

func (d *Deliverer) delivery(c credential.Credential) (job, error) {
	if !acceptable(c.Host) {
		return job{}, &apierror.Error{Code: apierror.CodeInsecureHost, Message: "The credential may only be used over https.",
			Hint: "An administrator must set an https address for GitHub."}
	}
	if strings.ContainsFunc(c.Username+c.Password.Reveal(), isControl) || c.Password.Empty() || c.ExpiresAt.IsZero() {
		return job{}, &apierror.Error{Code: apierror.CodeBadCredential, Message: "The credential is not one that git could use."}
	}
	name, email := "", ""
	if d.options.GitIdentity {
		name, email = c.Account.Author(c.Host.Hostname())
	}
	rewrite := ""
	if d.options.RewriteSSH {
		rewrite = strings.Join(gitconfig.RewriteSSH(c.Host.Scheme+"://"+c.Host.Host+"/", c.Host.Hostname()), "\n") + "\n"
	}
	ghUser := ""
	if d.options.GHCommand && plain(c.Account.Login) && plain(c.Password.Reveal()) {
		ghUser = c.Account.Login
	}
	j := d.job("deliver", c.Host, map[string]string{
		"identity_name":  gitQuote(name),
		"identity_email": gitQuote(email),
		"rewrite_ssh":    rewrite,
		"gh_user":        ghUser,
	})
	j.input = secret.New(fmt.Sprintf("username=%s\npassword=%s\npassword_expiry_utc=%d\n",
		c.Username, c.Password.Reveal(), c.ExpiresAt.Unix()) + j.end())
	return j, nil
}

func (d *Deliverer) removal() job {
	j := d.job("remove", d.options.Host, nil)
	j.input = secret.New(j.end())
	return j
}

// expiry takes the credential out, and leaves the helper, which then says where to
// connect again.
func (d *Deliverer) expiry() job {
	j := d.job("expire", d.options.Host, nil)
	j.input = secret.New(j.end())
	return j
}

// job puts the parameters in front of the script, as assignments that the
// shell takes literally.
func (d *Deliverer) job(action string, github *url.URL, parameters map[string]string) job {
	a, b := rand.Text(), rand.Text()
	var text strings.Builder
	assign := func(name, value string) { fmt.Fprintf(&text, "%s=%s\n", name, shellQuote(value)) }
	assign("action", action)
	assign("mark_a", a)
	assign("mark_b", b)
	assign("unique", rand.Text())
	assign("protocol", github.Scheme)
	assign("host", webaddr.CanonicalHost(github.Scheme, github.Host))
	assign("place", Folder(github))
	assign("credential_path", d.options.CredentialPath)
	assign("helper", d.helper())
	assign("git_username", credential.Username)
	for _, name := range []string{"identity_name", "identity_email", "rewrite_ssh", "gh_user"} {
		assign(name, parameters[name])
	}
	text.WriteString(scriptText())
	return job{script: text.String(), markA: a, markB: b}
}

// helper is git's helper, which knows the page to connect at.
func (d *Deliverer) helper() string {
	if d.options.Page == nil {
		return helperText
	}
	return strings.Replace(helperText, "\npage=''\n", "\npage="+shellQuote(d.options.Page.String())+"\n", 1)
}

// Folder is the name of the folder, in ~/.config/ghscoped, with the files for one
// GitHub: a home may have those of several.
func Folder(github *url.URL) string {
	return strings.ReplaceAll(webaddr.CanonicalHost(github.Scheme, github.Host), ":", "_")
}

// gitQuote makes a value of a git configuration file; of nothing it makes nothing.
func gitQuote(value string) string {
	if value == "" {
		return ""
	}
	return gitconfig.Quote(value)
}

func shellQuote(value string) string {
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}

// plain reports whether YAML takes the value, if it is one, as it stands.
func plain(value string) bool {
	return !strings.ContainsFunc(value, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' || r == '.')
	})
}
