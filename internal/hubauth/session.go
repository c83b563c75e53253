package hubauth

import (
	"context"
	"errors"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// Session is one browser that is signed in. It lives in the store; the cookie
// holds no more than its id, so that a Hub logout ends it for good, and no token
// leaves the service.
type Session struct {
	User string `json:"user"`
	// Holder is what the Hub said of HubToken when it was last asked, a minute ago
	// at most. It is not stored.
	Holder hub.User `json:"-"`
	// HubToken is the user's own OAuth token, which the Hub revokes at logout.
	HubToken secret.Stored `json:"hub_token"`
	// HubSessionID is what the Hub calls this browser's session; a change of it
	// means that somebody else has signed in.
	HubSessionID string `json:"hub_session_id,omitempty"`
	// CSRF is what a writing request must name in its header, besides the cookie.
	CSRF      secret.Stored `json:"csrf"`
	CreatedAt time.Time     `json:"created_at"`
	// ExpiresAt ends the session whatever the Hub still allows.
	ExpiresAt time.Time `json:"expires_at"`
}

// ErrNoSession: there is no such session, it was ended, or it has expired. Any
// other error of [Sessions] means an error of the store, and is no reason to
// throw a cookie away.
var ErrNoSession = errors.New("no such session")

// Sessions keeps sessions for all replicas.
type Sessions interface {
	// Create stores a session and returns its id, which only the browser's
	// cookie ever holds.
	Create(ctx context.Context, session Session) (id string, err error)
	// Session returns a live session, or [ErrNoSession].
	Session(ctx context.Context, id string) (Session, error)
	// End forgets a session; one that is gone already is no error.
	End(ctx context.Context, id string) error
}
