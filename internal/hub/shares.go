package hub

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// Server is the name of the server that the token which told of u is of, by its
// scope access:servers!server=USER/NAME; "" is the default server. one is false for
// a token that opens several servers, or none, or another user's: a token that the
// user made on the Hub's token page opens all of theirs.
func (u User) Server() (name string, one bool) {
	var filters []string
	for _, scope := range u.Scopes {
		if base, filter, _ := strings.Cut(scope, "!"); base == "access:servers" {
			filters = append(filters, filter)
		}
	}
	if u.Kind != "user" || len(filters) != 1 {
		return "", false
	}
	name, own := strings.CutPrefix(filters[0], "server="+u.Name+"/")
	if !own || strings.Contains(name, "/") { // neither kind of name may have one
		return "", false
	}
	return name, true
}

// MayReadShares reports whether the token that told of u shows with whom u shares
// servers.
func (u User) MayReadShares() bool {
	for _, scope := range u.Scopes {
		base, filter, _ := strings.Cut(scope, "!")
		if (base == "read:shares" || base == "shares") && (filter == "" || filter == "user="+u.Name) {
			return true
		}
	}
	return false
}

// Shares names, for each server of a user that is shared (JupyterHub 5 and later),
// the users and groups it is shared with. Needs the scope read:shares for that user;
// [ErrForbidden] without it, and from a Hub without sharing. Whoever may open a
// server by a role of theirs is not among them.
func (c *Client) Shares(ctx context.Context, token secret.String, user string) (map[string][]string, error) {
	target := c.api.JoinPath("shares", url.PathEscape(user))
	with := map[string][]string{}
	for offset := 0; ; {
		target.RawQuery = url.Values{"offset": {strconv.Itoa(offset)}}.Encode()
		var page sharesPage
		if err := c.call(ctx, http.MethodGet, target, token, &page); err != nil {
			return nil, err
		}
		for _, s := range page.Items {
			with[s.Server.Name] = append(with[s.Server.Name], s.name())
		}
		if page.Pagination.Next.Offset <= offset {
			return with, nil
		}
		offset = page.Pagination.Next.Offset
	}
}

type sharesPage struct {
	Items      []share `json:"items"`
	Pagination struct {
		Next struct {
			Offset int `json:"offset"`
		} `json:"next"`
	} `json:"_pagination"`
}

// share is one of a server with a user or a group.
type share struct {
	Server      struct{ Name string }
	User, Group *struct{ Name string }
}

func (s share) name() string {
	switch {
	case s.User != nil:
		return s.User.Name
	case s.Group != nil:
		return s.Group.Name
	}
	return ""
}
