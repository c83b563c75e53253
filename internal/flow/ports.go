package flow

import (
	"context"
	"net/url"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// GitHub is what a flow asks of GitHub. Errors are [*Error]; a passing one is
// tried again, any other ends what was under way.
type GitHub interface {
	// DeviceCode begins a device flow (RFC 8628, 3.1).
	DeviceCode(ctx context.Context) (DeviceCode, error)
	// PollOnce asks once whether the code was approved (RFC 8628, 3.4).
	PollOnce(ctx context.Context, deviceCode secret.String) (PollResult, error)
	// Account says whom a token belongs to.
	Account(ctx context.Context, token secret.String) (Account, error)
	// Access lists what a token reaches.
	Access(ctx context.Context, token secret.String) (Access, error)
	// Refresh trades a refresh token for a new pair; the old one is dead then.
	Refresh(ctx context.Context, refresh secret.String) (Token, error)
	// Narrow makes a token for one repository, OWNER/NAME, from a wide one, which
	// lives on.
	Narrow(ctx context.Context, wide secret.String, repository string) (Token, error)
	// Revoke makes a token invalid. A token that is dead already is no error.
	Revoke(ctx context.Context, token secret.String) error
}

// App is a GitHub App's registration, as far as GitHub shows it. A flow does not
// ask for it; the doctor compares it with what is configured.
type App struct {
	Slug, ClientID string
	Permissions    map[string]string
}

// WebFlow is the other way to approve: the browser is sent to GitHub and comes
// back with a code (RFC 6749, 4.1, with PKCE, RFC 7636). Errors are [*Error].
type WebFlow interface {
	// AuthURL is where the browser is sent. redirect is where it comes back to;
	// empty: the callback address of the GitHub App. login is the account that is
	// expected to approve; empty: the person is to choose one.
	AuthURL(state, verifier, redirect, login string) string
	// Exchange trades the code for a token; the attempt spends the code.
	Exchange(ctx context.Context, code, verifier, redirect string) (Token, error)
}

// DeviceCode is GitHub's answer to the start of a device flow.
type DeviceCode struct {
	DeviceCode      secret.String
	UserCode        string
	VerificationURI string
	ExpiresIn       time.Duration
	Interval        time.Duration
}

// Outcome is what one poll found.
type Outcome int

// The outcomes of a poll (RFC 8628, 3.5).
const (
	StillPending Outcome = iota
	SlowDown
	Granted
	WasDenied
	CodeExpired
	CodeIncorrect
)

// PollResult is an [Outcome] with what belongs to it.
type PollResult struct {
	Outcome Outcome
	// Interval is the new one of a SlowDown; 0: GitHub named none.
	Interval time.Duration
	// Token is set when Granted.
	Token Token
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
	// Progress is the Hub's last word on a server that is starting, within about
	// a second.
	Progress(ctx context.Context, token secret.String, user, server string) (message string, ready bool, err error)
	// ServerToken makes a token that opens this server alone, for lifetime.
	ServerToken(ctx context.Context, token secret.String, user, server string, lifetime time.Duration) (hub.ServerToken, error)
	DeleteToken(ctx context.Context, token secret.String, user, id string) error
	// Address is where a server is reached through the Hub's proxy.
	Address(server hub.Server) (hub.Address, error)
}

// Target is a running server of a user, and the token that opens it and no other.
type Target struct {
	// Address is the server's base at the Hub's proxy; its URL ends in "/".
	hub.Address
	Token secret.String
	// Prove returns nil where token, which came out of the server, is that
	// server's own: nobody else who answers at its address has it.
	Prove func(ctx context.Context, token secret.String) error
}

// Credential is what a delivery writes.
type Credential struct {
	// Host is GitHub's web address, the only one the credential is offered to.
	Host      *url.URL
	Username  string
	Password  secret.String
	ExpiresAt time.Time
	// Account gives user.name and user.email where the deployer asks for them.
	Account Account
}

// Deliverer puts a credential into a running server and takes it out again, once
// the server has shown its own token and Target.Prove agreed: what it returns
// instead is returned as it is. Both are idempotent; errors are [*Error]. The
// returned method (terminal, typed, kernel) is the way that worked.
type Deliverer interface {
	Deliver(ctx context.Context, target Target, credential Credential) (method string, err error)
	Remove(ctx context.Context, target Target) (method string, err error)
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
	// the name to go on from; "" at the end.
	List(ctx context.Context, after string, limit int) (users []*User, next string, err error)
	// NextDue is when Claim may next find something; the zero time: never, as
	// things are.
	NextDue(ctx context.Context) (time.Time, error)
	// Watch reports each change of a user's record, by whichever process, until
	// ctx ends. Reports may be merged, never lost.
	Watch(ctx context.Context, name string) (<-chan struct{}, error)
	// WatchAll reports the name of each user whose record changes, as Watch does;
	// "": any record may have changed. The channel is closed when ctx ends, and
	// when no change can be heard of any more.
	WatchAll(ctx context.Context) (<-chan string, error)
}

// Auditor keeps one event for each thing that happened to a token.
type Auditor interface {
	Record(ctx context.Context, event Event)
}

// Event is one line of the audit, of a user's token or of a bot's. It names a
// token by its SHA-256 only.
type Event struct {
	Time   time.Time `json:"time"`
	Action string    `json:"action"`
	// User is whose token it is, a Hub user. For a bot's token Caller is set
	// instead.
	User      string    `json:"user,omitempty"`
	FlowID    string    `json:"flow_id,omitempty"`
	Account   string    `json:"account,omitempty"`
	Server    string    `json:"server,omitempty"`
	Method    string    `json:"method,omitempty"`
	TokenHash string    `json:"token_sha256,omitempty"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	Outcome   string    `json:"outcome"`
	Code      string    `json:"code,omitempty"`
	// Repositories are those that a narrowed or a bot's token is for.
	Repositories []string `json:"repositories,omitempty"`
	// RepositoriesLeftOut and PermissionsLeftOut count those that were too many for
	// one event.
	RepositoriesLeftOut int `json:"repositories_left_out,omitempty"`
	// Reason is why a token was revoked or a connection ended; for a bot's, what
	// the rule that allowed it is for.
	Reason string `json:"reason,omitempty"`

	// Caller and what follows is of bots' tokens only. Caller is who asked, as
	// policies name it (service:nbbot, user:ada); for a revocation whose token it
	// was, and By who revoked it.
	Caller             string            `json:"caller,omitempty"`
	By                 string            `json:"by,omitempty"`
	Rule               string            `json:"rule,omitempty"`
	Permissions        map[string]string `json:"permissions,omitempty"`
	PermissionsLeftOut int               `json:"permissions_left_out,omitempty"`
	RequestID          string            `json:"request_id,omitempty"`
	// Why says in a sentence why a request was refused.
	Why string `json:"why,omitempty"`
}
