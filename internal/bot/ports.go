package bot

import (
	"context"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// GitHub is what is asked of GitHub as the App. Errors are [*flow.Error].
type GitHub interface {
	// Mint makes an installation token for repositories of one owner (names
	// without the owner) and permissions. Both are always named.
	Mint(ctx context.Context, owner string, repositories []string, permissions map[string]string) (Minted, error)
	// Identity is the name under which GitHub shows what the App does. The token
	// is one of its installation tokens.
	Identity(ctx context.Context, token secret.String) (Identity, error)
	// RevokeInstallationToken makes a token invalid. One that is dead already
	// is no error.
	RevokeInstallationToken(ctx context.Context, token secret.String) error
	// File reads a file of at most limit bytes from a repository's default
	// branch; found is false where there is none.
	File(ctx context.Context, token secret.String, owner, repository, path string, limit int) (content []byte, found bool, err error)
}

// Metrics is told what to count.
type Metrics interface {
	// Requested is a request for a token by its outcome, as the audit names it.
	Requested(outcome string)
}

// Minted is a token with what GitHub says it may do.
type Minted struct {
	Token secret.String
	// ExpiresAt is by our clock.
	ExpiresAt time.Time
	// Repositories are full names, OWNER/NAME.
	Repositories []string
	Permissions  map[string]string
	// Selected: the token reaches only Repositories, not all of the owner's.
	Selected bool
}

// Identity is the name and address that commits by a bot's token should carry.
type Identity struct {
	Name  string // SLUG[bot]
	Email string // the address that links a commit to it
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

// Auditor keeps one event for each request and each revocation. A token is given
// away only after its event was kept, so Keep says whether it was.
type Auditor interface {
	Keep(ctx context.Context, event flow.Event) error
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
