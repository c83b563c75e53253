package git

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// Remote is one remote of the repository that git is run in.
type Remote struct {
	Name        string
	Fetch, Push Address
}

// Address is one of a remote; it may hold a password.
type Address struct {
	// Key is the setting, such as remote.origin.url.
	Key string
	// Set is what the configuration says, and Used what git makes of it (url.*.insteadOf).
	Set, Used string
}

// Remotes are those of the repository that git is run in; outside of one it is an
// error.
func (p Program) Remotes(ctx context.Context) ([]Remote, error) {
	out, err := p.run(ctx, nil, "remote")
	if err != nil {
		return nil, err
	}
	used := func(args ...string) string {
		out, err := p.run(ctx, nil, append([]string{"remote", "get-url"}, args...)...)
		if err != nil {
			return ""
		}
		first, _, _ := strings.Cut(out, "\n")
		return first
	}
	var remotes []Remote
	for name := range strings.Lines(out) {
		name = strings.TrimSpace(name)
		fetch, push := "remote."+name+".url", "remote."+name+".pushurl"
		fetched, _ := p.Value(ctx, fetch)
		pushed, _ := p.Value(ctx, push)
		if pushed == "" {
			push, pushed = fetch, fetched
		}
		remotes = append(remotes, Remote{Name: name,
			Fetch: Address{Key: fetch, Set: fetched, Used: used(name)},
			Push:  Address{Key: push, Set: pushed, Used: used("--push", name)},
		})
	}
	return remotes, ctx.Err()
}

// PushRemote is the remote that git push takes on a branch.
func (p Program) PushRemote(ctx context.Context, branch string) string {
	for _, setting := range []string{"branch." + branch + ".pushRemote", "remote.pushDefault", "branch." + branch + ".remote"} {
		if name, ok := p.Value(ctx, setting); ok {
			return name
		}
	}
	return "origin"
}

// SendsPassword reports whether git, without any helper, sends a user name and a
// password to an address: of ~/.netrc, for one. It asks whether a push could be made,
// since reading may take no password.
func (p Program) SendsPassword(ctx context.Context, address *url.URL) (bool, error) {
	folder, err := os.MkdirTemp("", "ghscoped-*")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(folder)
	trace := filepath.Join(folder, "trace")
	// Secrets are left out of a trace, which is git's default.
	p.Env = append(p.Env, "GIT_TRACE_CURL="+trace, "GIT_TRACE_CURL_NO_DATA=1", "GIT_TRACE_REDACT=1")
	_, err = p.run(ctx, nil, "-c", "credential.helper=", "push", "--dry-run", "--no-verify", address.String(), ":refs/heads/none")
	if ctx.Err() != nil {
		return false, err
	}
	text, err := os.ReadFile(trace)
	if err != nil {
		return false, err
	}
	return strings.Contains(strings.ToLower(string(text)), "send header: authorization:"), nil
}
