package github

import (
	"time"

	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// App is a GitHub App's registration, as far as GitHub shows it.
type App struct {
	Slug, ClientID string
	Permissions    map[string]string
}

// InstallationToken is a token of the App's own, with what GitHub says it may do.
type InstallationToken struct {
	Token secret.String
	// IssuedAt and ExpiresAt are by our clock.
	IssuedAt, ExpiresAt time.Time
	// Repositories are full names, OWNER/NAME.
	Repositories []string
	Permissions  map[string]string
	// Selected: the token reaches only Repositories, not all of the owner's.
	Selected bool
}

// Identity is the name and address that commits by an installation token carry.
type Identity struct {
	Name  string // SLUG[bot]
	Email string // the address that links a commit to it
}
