package hubapi

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// Shares names, for each server of a user that is shared (JupyterHub 5 and later),
// the users and groups it is shared with. Needs the scope read:shares for that user;
// [hub.ErrForbidden] without it, and from a Hub without sharing. Whoever may open a
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
