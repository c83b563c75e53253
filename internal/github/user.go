package github

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// Token is a user access token, as GitHub answers a completed flow or a refresh.
type Token struct {
	Access secret.Stored `json:"access"`
	// ExpiresAt is zero for an App whose token expiry is switched off; such a
	// token is refused.
	ExpiresAt        time.Time     `json:"expires_at,omitzero"`
	Refresh          secret.Stored `json:"refresh"`
	RefreshExpiresAt time.Time     `json:"refresh_expires_at,omitzero"`
}

// Account is a GitHub account. Name and Email may be empty.
type Account struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
}

// Author is what git should call the account in a commit: its name, or else its
// login, and its public address, or else the one that GitHub keeps for those who
// show none. Control characters, which have no place in a name, are dropped. The host
// is GitHub's.
func (a Account) Author(host string) (name, email string) {
	name, email = cmp.Or(printable(a.Name), a.Login), printable(a.Email)
	if email == "" && a.ID != 0 && a.Login != "" {
		email = fmt.Sprintf("%d+%s@users.noreply.%s", a.ID, a.Login, host)
	}
	return name, email
}

func printable(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, text))
}

// Access is what a token reaches.
type Access struct {
	State        AccessState  `json:"state"`
	Repositories []Repository `json:"repositories,omitempty"`
	// Fix is the GitHub page where the user, or an owner, changes what is missing.
	Fix string `json:"fix,omitempty"`
	// Missing are accounts whose repositories the token does not reach, though
	// its user may mean them; some or all others may be there.
	Missing []Missing `json:"missing,omitempty"`
}

// Missing is an account of whose repositories a token reaches none.
type Missing struct {
	// Account is its login; empty where GitHub does not name it.
	Account string `json:"account,omitempty"`
	// State is why: AccessSingleSignOn, AccessRequested, AccessSuspended or
	// AccessRefused.
	State AccessState `json:"state"`
	// Fix is as that of [Access].
	Fix string `json:"fix,omitempty"`
}

// Repository is one that a token reaches.
type Repository struct {
	ID       int64  `json:"id"`
	FullName string `json:"full_name"`
	Private  bool   `json:"private,omitempty"`
	Push     bool   `json:"push"`
	// Archived: the user could push, were it not archived.
	Archived bool `json:"archived,omitempty"`
}

// AccessState names why a token can or cannot push anywhere.
type AccessState string

// The states of access. Unknown means not looked at yet.
const (
	AccessUnknown      AccessState = "unknown"
	AccessReady        AccessState = "ready"
	AccessNotInstalled AccessState = "not_installed"
	AccessSuspended    AccessState = "suspended"
	AccessNoRepository AccessState = "no_repository"
	AccessReadOnly     AccessState = "read_only"
	// AccessArchived: all that the user could push to is archived.
	AccessArchived AccessState = "archived"
	// AccessSingleSignOn: an organisation wants a SAML single sign-on before the
	// token is made.
	AccessSingleSignOn AccessState = "single_sign_on"
	// AccessRequested: an owner of an organisation has not yet agreed to the App.
	AccessRequested AccessState = "requested"
	// AccessRefused: a rule of an organisation keeps the App's calls out, such as
	// one about addresses.
	AccessRefused AccessState = "refused"
)
