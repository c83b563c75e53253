package bot

import (
	"context"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// GitHub is what is asked of GitHub as the App. Errors are [*apierror.Error].
type GitHub interface {
	// Mint makes an installation token for repositories of one owner (names
	// without the owner) and permissions. Both are always named.
	Mint(ctx context.Context, owner string, repositories []string, permissions map[string]string) (github.InstallationToken, error)
	// Identity is the name under which GitHub shows what the App does. The token
	// is one of its installation tokens.
	Identity(ctx context.Context, token github.InstallationToken) (github.Identity, error)
	// Alive reports whether GitHub still takes a token.
	Alive(ctx context.Context, token github.InstallationToken) (bool, error)
	// RevokeInstallationToken makes a token invalid. One that is dead already
	// is no error.
	RevokeInstallationToken(ctx context.Context, token github.InstallationToken) error
	// Guarded is nil where whoever may push to a repository cannot change its default
	// branch alone; else the error repository_unguarded.
	Guarded(ctx context.Context, token github.InstallationToken, owner, repository string) error
	// File reads a file of at most limit bytes from a repository's default
	// branch; found is false where there is none.
	File(ctx context.Context, token github.InstallationToken, owner, repository, path string, limit int) (content []byte, found bool, err error)
}

// Live is a token that was given away and has not expired. It is stored sealed
// as a whole: it holds the token, for its revocation and its reuse.
type Live struct {
	// ID is the SHA-256 of the token, by which administrators and the audit
	// name it.
	ID           string            `json:"id"`
	Caller       string            `json:"caller"`
	Rule         string            `json:"rule"`
	Repositories []string          `json:"repositories"`
	Permissions  map[string]string `json:"permissions"`
	Token        secret.Stored     `json:"token"`
	IssuedAt     time.Time         `json:"issued_at"`
	ExpiresAt    time.Time         `json:"expires_at"`
	RequestID    string            `json:"request_id,omitempty"`
	// Exclusive: it is not given again.
	Exclusive bool `json:"exclusive,omitempty"`
}

// asked is the token as GitHub is shown it.
func (l Live) asked() github.InstallationToken {
	return github.InstallationToken{Token: l.Token.String, IssuedAt: l.IssuedAt, ExpiresAt: l.ExpiresAt}
}

// Store keeps live tokens until they expire.
type Store interface {
	// Add keeps a token until its ExpiresAt; one that is there already stays as
	// it is, and is an error.
	Add(ctx context.Context, live Live) error
	// List returns the tokens of a caller that have not expired; of all callers
	// for "".
	List(ctx context.Context, caller string) ([]Live, error)
	// Remove forgets a token; one that is not there is no error.
	Remove(ctx context.Context, caller, id string) error
}

// Actions and outcomes of events.
const (
	ActionIssue  = "bot_token_issue"
	ActionRevoke = "bot_token_revoke"

	Issued  = "issued"
	Reused  = "reused"
	Refused = "refused" // by the policy, a repository's file, or as no proper request
	Failed  = "failed"  // GitHub, the store or the audit stood in the way
	Revoked = "revoked"
)
