package git

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/ghscoped/ghscoped-service/internal/credential"
)

// Fill has git look for a credential for an address, as a push does, by asking its
// helpers and nobody else. An empty password: none of them has one.
func (p Program) Fill(ctx context.Context, address *url.URL) (credential.Request, error) {
	question := fmt.Sprintf("protocol=%s\nhost=%s\n", address.Scheme, address.Host)
	if path := strings.TrimPrefix(address.Path, "/"); path != "" {
		question += "path=" + path + "\n"
	}
	out, err := p.run(ctx, []byte(question+"\n"), "credential", "fill")
	if err != nil {
		return credential.Request{}, err
	}
	return credential.Parse(strings.NewReader(out))
}

// Reject has git tell all its helpers that a user's credential for an address is of
// no use any more, whereupon those that have kept a copy erase it.
func (p Program) Reject(ctx context.Context, address *url.URL, username string) error {
	_, err := p.run(ctx, fmt.Appendf(nil, "protocol=%s\nhost=%s\nusername=%s\n\n", address.Scheme, address.Host, username), "credential", "reject")
	return err
}
