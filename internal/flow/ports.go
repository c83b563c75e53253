package flow

import (
	"context"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/credential"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// GitHub is what a flow asks of GitHub. Errors are [*apierror.Error]; a retryable one is
// retried, any other ends what was under way.
type GitHub interface {
	// DeviceCode begins a device flow (RFC 8628, 3.1).
	DeviceCode(ctx context.Context) (github.DeviceCode, error)
	// PollOnce asks once whether the code was approved (RFC 8628, 3.4).
	PollOnce(ctx context.Context, deviceCode secret.String) (github.PollResult, error)
	// Account says whom a token belongs to.
	Account(ctx context.Context, token secret.String) (github.Account, error)
	// Access lists what a token reaches; user is the id of its account.
	Access(ctx context.Context, token secret.String, user int64) (github.Access, error)
	// Refresh trades a refresh token for a new pair; the old one is dead then.
	Refresh(ctx context.Context, refresh secret.String) (github.Token, error)
	// ScopeToken makes a token for one repository, OWNER/NAME, from the
	// connection's, which stays valid.
	ScopeToken(ctx context.Context, token secret.String, repository string) (github.Token, error)
	// Revoke makes a token invalid. A token that is dead already is no error.
	Revoke(ctx context.Context, token secret.String) error
}

// WebFlow is the other way to approve: the browser is sent to GitHub and comes
// back with a code (RFC 6749, 4.1, with PKCE, RFC 7636). Errors are [*apierror.Error].
type WebFlow interface {
	// AuthURL is where the browser is sent. redirect is where it comes back to;
	// empty: the callback address of the GitHub App. login is the account that is
	// expected to approve; empty: the person is to choose one.
	AuthURL(state, verifier, redirect, login string) string
	// Exchange trades the code for a token; the attempt spends the code.
	Exchange(ctx context.Context, code, verifier, redirect string) (github.Token, error)
}

// Hub is what a flow asks of JupyterHub, always with the user's own token, but
// for whose a token is that a server shows.
type Hub interface {
	// Whoami says whose the token is; [hub.ErrUnauthorized] and
	// [hub.ErrForbidden]: nobody's any more.
	Whoami(ctx context.Context, token secret.String) (hub.User, error)
	Servers(ctx context.Context, token secret.String, user string) ([]hub.Server, error)
	// Shares names, by server, the users and groups it is shared with;
	// [hub.ErrForbidden] where the Hub does not tell.
	Shares(ctx context.Context, token secret.String, user string) (map[string][]string, error)
	StartServer(ctx context.Context, token secret.String, user, server string) error
	// Progress is the Hub's latest message about a server that is starting, within about
	// a second.
	Progress(ctx context.Context, token secret.String, user, server string) (message string, ready bool, err error)
	// ServerToken makes a token that opens this server alone, for lifetime.
	ServerToken(ctx context.Context, token secret.String, user, server string, lifetime time.Duration) (hub.ServerToken, error)
	DeleteToken(ctx context.Context, token secret.String, user, id string) error
	// Address is where a server is reached through the Hub's proxy.
	Address(server hub.Server) (hub.Address, error)
}

// Deliverer puts a credential into a running server and takes it out again, once
// the server has shown its own token and Target.Prove agreed: what it returns
// instead is returned as it is. Remove takes everything out; Expire leaves what says
// in the server where to connect again. All are idempotent; errors are [*apierror.Error]. The
// returned method (terminal, kernel) is the transport that worked.
type Deliverer interface {
	// The credential is there as well where the error has the code
	// [apierror.CodeHelperCopies], of which the user has to know.
	Deliver(ctx context.Context, target hub.Target, credential credential.Credential) (method string, err error)
	Expire(ctx context.Context, target hub.Target) (method string, err error)
	Remove(ctx context.Context, target hub.Target) (method string, err error)
}

// Store keeps the records. An adapter seals them; flow hands over clear ones.
type Store interface {
	// Load returns a user's record; one never stored comes empty, Version 0.
	Load(ctx context.Context, name string) (*User, error)
	// Save stores the record if the stored Version is still user.Version, and
	// sets user.Version; otherwise [ErrConflict]. The record is due at
	// user.Due(), or at user.Held where that is set, which it keeps.
	Save(ctx context.Context, user *User) error
	// Claim returns up to limit records that are due, each with Held set to the
	// end of hold and a new Version, so that no other scheduler gets them meanwhile
	// and a holder that was paused beyond hold is refused by Save.
	Claim(ctx context.Context, hold time.Duration, limit int) ([]*User, error)
	// List returns users in the order of their names, beginning behind after, and
	// the name to continue from; "" at the end.
	List(ctx context.Context, after string, limit int) (users []*User, next string, err error)
	// NextDue is when Claim may next find something; the zero time: never, as
	// things are.
	NextDue(ctx context.Context) (time.Time, error)
	// Watch reports changes of a user's record, or with the name "" of all, by
	// whichever process. It sends the names of the users whose records changed since
	// it last sent; "" among them: any record may have. The channel is closed when
	// ctx ends, and when the store is closed.
	Watch(ctx context.Context, name string) <-chan map[string]struct{}
}
