package github

import (
	"time"

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

// Access is what a token reaches.
type Access struct {
	State        AccessState  `json:"state"`
	Repositories []Repository `json:"repositories,omitempty"`
	// Fix is the GitHub page where the user changes what is missing.
	Fix string `json:"fix,omitempty"`
}

// Repository is one that a token reaches.
type Repository struct {
	ID       int64  `json:"id"`
	FullName string `json:"full_name"`
	Private  bool   `json:"private,omitempty"`
	Push     bool   `json:"push"`
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
)
