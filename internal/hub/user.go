package hub

import (
	"slices"
	"strings"
)

// User is the holder of a token, as GET /hub/api/user describes it. For a Hub
// service Kind is "service".
type User struct {
	Kind      string   `json:"kind"`
	Name      string   `json:"name"`
	Admin     bool     `json:"admin"`
	Groups    []string `json:"groups"`
	Scopes    []string `json:"scopes"`
	SessionID string   `json:"session_id"`
	// Created is when the Hub made this user, as it writes it. Another user of the
	// same name, later, has another time. Empty where the token lacks the scope
	// read:users.
	Created string `json:"created"`
}

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

// IsServer reports whether the token that told of u is the own token of this
// server of u, the JUPYTERHUB_API_TOKEN in its environment. Among a user's tokens
// that one alone has the server's name and, since every server reports it, the
// user's activity in its scopes: one made by this service for one server, and one that a
// browser shows the server, open it as well, but may not report anything.
func (u User) IsServer(user, server string) bool {
	return u.Kind == "user" && u.Name == user && slices.Contains(u.Scopes, AccessServer(user, server)) &&
		slices.ContainsFunc(u.Scopes, func(s string) bool { return BaseScope(s) == "users:activity" })
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

// AccessServer is the scope that opens one server of a user.
func AccessServer(user, server string) string { return "access:servers!server=" + user + "/" + server }

// BaseScope is a scope without its "!filter".
func BaseScope(scope string) string {
	base, _, _ := strings.Cut(scope, "!")
	return base
}
