package main

import (
	"context"
	"net/url"
	"strings"

	"github.com/ghscoped/ghscoped-service/internal/check"
	"github.com/ghscoped/ghscoped-service/internal/git"
	"github.com/ghscoped/ghscoped-service/internal/webaddr"
)

// repository looks at the repository that it is called in: whether git goes to
// GitHub by an address that no credential helper is asked for, or with something
// that it takes in place of what a helper has.
func (e *examination) repository(ctx context.Context) check.Result {
	programs := git.OnPath(e.in.getenv("PATH"))
	host, err := githubURL(e.in.getenv)
	if len(programs) == 0 || err != nil {
		return skipped()
	}
	program := programs[0]
	remotes, err := program.Remotes(ctx)
	if err != nil || len(remotes) == 0 {
		return check.Skipped("run ghscoped doctor in a repository to have its addresses checked, too")
	}
	passed := check.Skipped("no remote of this repository is at " + host.Host)
	for _, remote := range remotes {
		for _, address := range []git.Address{remote.Push, remote.Fetch} {
			result, ofHost := e.remote(ctx, program, host, remote.Name, address)
			if result.State == check.Fail {
				return result
			}
			if ofHost {
				passed = result
			}
		}
	}
	return passed
}

// remote looks at one address of a remote; ofHost is false where it is elsewhere.
func (e *examination) remote(ctx context.Context, program git.Program, host *url.URL, remote string, of git.Address) (result check.Result, ofHost bool) {
	name, address := "the remote "+remote, of.Used
	if bySSH(address, host) {
		if !bySSH(of.Set, host) {
			return check.Failed("git turns the address of "+name+" into one of ssh, where ghscoped cannot help",
				"See which setting does that, and unset it: git config --show-origin --get-regexp '^url\\.'"), true
		}
		return check.Failed("the address of "+name+" is one of ssh, where ghscoped cannot help",
			"git config "+of.Key+" "+httpsAddress(address, host)), true
	}
	parsed, err := url.Parse(address)
	if err != nil || !webaddr.SameHost(parsed.Scheme, parsed.Host, host.Host) {
		return check.Result{}, false
	}
	if _, secret := parsed.User.Password(); secret {
		return check.Failed("the address of "+name+" has a password in it, which git uses in place of ghscoped's token",
			"git config "+of.Key+" "+httpsAddress(address, host)), true
	}
	clean := &url.URL{Scheme: parsed.Scheme, Host: parsed.Host, Path: parsed.Path}
	if setting, ok := program.Setting(ctx, "http.extraHeader", clean); ok && strings.HasPrefix(strings.ToLower(setting), "authorization:") {
		return check.Failed("git sends a header Authorization of its configuration in place of ghscoped's token",
			"See where it stands, and unset it: git config --show-origin --get-regexp '^http\\..*extraheader$'"), true
	}
	if sends, err := program.SendsPassword(ctx, clean); err == nil && sends {
		return check.Failed("git sends GitHub a password before it asks any helper, most likely the one in ~/.netrc",
			"Remove the entry for "+parsed.Hostname()+" from ~/.netrc."), true
	}
	return check.Passed("git asks its helpers for " + name), true
}

// bySSH reports whether git goes to an address of a host by ssh: as a URL, or as scp
// has it.
func bySSH(address string, host *url.URL) bool {
	at := strings.TrimPrefix(address, "git+")
	if rest, isURL := strings.CutPrefix(at, "ssh://"); isURL {
		at, _, _ = strings.Cut(rest, "/")
	} else {
		if strings.Contains(at, "://") {
			return false
		}
		var found bool
		if at, _, found = strings.Cut(at, ":"); !found || strings.Contains(at, "/") {
			return false
		}
	}
	at = at[strings.LastIndex(at, "@")+1:]
	at, _, _ = strings.Cut(at, ":")
	return strings.EqualFold(at, host.Hostname()) || strings.EqualFold(at, "ssh."+host.Hostname())
}

// httpsAddress is the address of the same repository that git asks helpers for.
func httpsAddress(address string, host *url.URL) string {
	path := address
	if _, rest, isURL := strings.Cut(address, "://"); isURL {
		_, path, _ = strings.Cut(rest, "/")
	} else {
		_, path, _ = strings.Cut(address, ":")
	}
	return host.String() + "/" + strings.TrimPrefix(path, "/")
}
