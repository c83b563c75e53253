package web

import (
	"errors"
	"time"
)

// State is which page is shown. Pending to Failed are a flow's states.
type State string

// The states, one template each.
const (
	None        State = "none"
	Pending     State = "pending"
	Approved    State = "approved"
	Delivering  State = "delivering"
	Connected   State = "connected"
	Expired     State = "expired"
	Denied      State = "denied"
	Cancelled   State = "cancelled"
	Failed      State = "failed"
	Unavailable State = "unavailable"
)

// Mode is how a flow is approved.
type Mode string

// The modes; the values are those of the form field "mode".
const (
	Device Mode = "device"
	Web    Mode = "web"
)

// AccessState says what a connection reaches; it chooses the page's next step.
type AccessState string

// The states of access, named as in the flow's record.
const (
	AccessUnknown      AccessState = "unknown" // not read yet
	AccessReady        AccessState = "ready"
	AccessNotInstalled AccessState = "not_installed"
	AccessSuspended    AccessState = "suspended"
	AccessNoRepository AccessState = "no_repository"
	AccessReadOnly     AccessState = "read_only"
	AccessArchived     AccessState = "archived"
	AccessSingleSignOn AccessState = "single_sign_on"
	AccessRequested    AccessState = "requested"
	AccessRefused      AccessState = "refused"
)

// ServerState is where one server stands.
type ServerState string

// The states of a server, named as in the delivery's record; ServerNone is a
// server that holds no credential and is to get none.
const (
	ServerNone      ServerState = "none"
	ServerQueued    ServerState = "queued"
	ServerStarting  ServerState = "starting"
	ServerWaiting   ServerState = "waiting"
	ServerDelivered ServerState = "delivered"
	ServerFailed    ServerState = "failed"
	ServerRemoving  ServerState = "removing"
	// ServerAllowed: servers ask for the credential, and this one may.
	ServerAllowed ServerState = "allowed"
)

// View is everything the page of one user shows.
type View struct {
	// CSRF goes into the meta tag and the plain forms of a document. Empty: no
	// token is written. [Pages.Fragment] never writes it.
	CSRF string
	// User is the Hub user's name; empty: nobody is signed in.
	User string
	// Admin shows the link to the admin's page.
	Admin bool
	// Now is the server's time; the script corrects the browser's clock by it.
	Now time.Time

	State State
	// Flow is needed in the states Pending to Delivering, and Expired to Failed
	// where its error is known.
	Flow *Flow
	// Connection is needed in the state Connected; in others it says that an
	// older connection still holds.
	Connection *Connection
	// Servers are the user's servers and those that hold a credential.
	Servers []Server
	// Problem is what is wrong when Unavailable, or when the servers could not
	// be read; nil: nothing.
	Problem *Problem

	// Asking is the server in which a program waits for an approval of its own
	// code; nil: none does. The code is not shown: who approves it connects that
	// program.
	Asking *string

	// RequestSent says that GitHub has just sent the user's request for the App to
	// the owners of an organisation.
	RequestSent bool

	// LoadAgain has a browser without script load the page again soon, since GitHub is
	// being looked at.
	LoadAgain bool

	// Chooses: as far as is known, the user has yet to choose repositories at GitHub.
	Chooses bool
	// Confirms: they have yet to confirm which GitHub account is theirs, in the web flow.
	Confirms bool

	// WebFlow offers the approval without a code.
	WebFlow bool
	// Pull says that servers fetch the credential instead of being given it.
	Pull bool
	// Refresh says that the access is prolonged while a server that has it runs.
	Refresh bool
}

// check names what the state's page cannot do without.
func (v View) check() error {
	switch {
	case v.State == Pending && v.Flow == nil:
		return errors.New("web: a pending page needs a flow")
	case v.State == Connected && v.Connection == nil:
		return errors.New("web: a connected page needs a connection")
	}
	return nil
}

// Flow is one attempt to connect.
type Flow struct {
	Mode Mode
	// UserCode is what the user types at VerificationURI; device mode only.
	UserCode string
	// VerificationURI is GitHub's page to enter it; device mode only.
	VerificationURI string
	// StartedAt begins the bar of the time left; zero: no bar.
	StartedAt time.Time
	ExpiresAt time.Time
	// Interval is how often GitHub is asked; device mode only.
	Interval time.Duration
	// Unconfirmed is the GitHub account that approved and waits for the person to
	// confirm it; empty: none does.
	Unconfirmed string
	Problem     *Problem
}

// Connection is a live grant.
type Connection struct {
	Login        string
	Since        time.Time
	ExpiresAt    time.Time
	Access       AccessState
	Repositories []Repository
	// AddURL is GitHub's page that adds repositories: the App's installation.
	AddURL string
	// FixURL is GitHub's page that fixes Access; empty: AddURL.
	FixURL string
	// Author is what git calls the person who has no name of their own there, as in
	// "Ada Lovelace <ada@example.org>"; empty: git is left alone.
	Author string
	// Missing are accounts of whose repositories nothing is reached.
	Missing []Missing
	// Program is the server in which a program made the connection, which the
	// person has not confirmed; nil: they have.
	Program *string
}

// Repository is one that the connection reaches.
type Repository struct {
	FullName string
	Push     bool
	// Archived: it could be pushed to, were it not archived.
	Archived bool
}

// Missing is an account that wants something before its repositories can be
// reached. Account may be empty; FixURL is GitHub's page for it.
type Missing struct {
	Account string
	Access  AccessState
	FixURL  string
}

// Server is one of the user's servers.
type Server struct {
	// Name is empty for the default server.
	Name  string
	State ServerState
	// Running says that the Hub reports it as ready.
	Running bool
	// URL is the server's path at the Hub, for the link that opens it; it is
	// shown only while Running.
	URL string
	// Method is the way that worked: terminal, typed, kernel.
	Method  string
	Problem *Problem
	// Progress is the Hub's latest message about a server that is starting.
	Progress string
	// Shared names users and groups who may open the server, too.
	Shared []string
	// CanAllow offers to let the server ask for the credential.
	CanAllow bool
	// CanStart offers to start a stopped server (scope servers!user).
	CanStart bool
}

// Problem is an error for a person. Message and Hint are English; where the
// texts of another language know the code, they say it instead.
type Problem struct {
	Code    string
	Message string
	Hint    string
}

// ErrorView is a page that only says what went wrong.
type ErrorView struct {
	// User is empty where nobody is signed in.
	User   string
	Status int
	// Reference is the request's id, for whoever reads the log; may be empty.
	Reference string
	// Retry offers to load the page again, and does so by itself after this
	// long; 0: it does not.
	Retry   time.Duration
	Problem Problem
	// SignIn offers to sign in (again), as the one thing to do.
	SignIn bool
}

// AdminView is the page for Hub admins. It holds no token of any kind but the
// form's own.
type AdminView struct {
	CSRF        string
	User        string
	Now         time.Time
	Connections []AdminConnection
	// Bound are the GitHub accounts that users are bound to, where the identity
	// policy is "bound".
	Bound []AdminBound
	// Bots are the bots' tokens that are live.
	Bots []AdminBot
	// Events are the last ones of the audit, newest first.
	Events []AdminEvent
}

// AdminConnection is one user's connection.
type AdminConnection struct {
	User      string
	Login     string
	Since     time.Time
	ExpiresAt time.Time
	Servers   []Server
}

// AdminBound is the GitHub account that one user is bound to. Login is what it
// was called then; it may be empty.
type AdminBound struct {
	User  string
	ID    int64
	Login string
}

// AdminBot is one live token of a bot.
type AdminBot struct {
	ID           string // SHA-256 of the token
	Caller       string
	Rule         string
	Repositories []string
	Since        time.Time
	ExpiresAt    time.Time
}

// AdminEvent is one line of the audit.
type AdminEvent struct {
	Time   time.Time
	Action string
	// User is a Hub user, or a bot as policies name it.
	User    string
	Account string
	Server  string
	Outcome string
	Code    string
	// Reason is why a token was revoked or given; Why, why a request was refused.
	Reason, Why string
	// Rule and what follows is of bots' tokens only. By is who revoked one.
	Rule         string
	Repositories []string
	// Permissions are as in contents:write.
	Permissions []string
	By          string
}

// PolicyState is how it stands with the bots' policy.
type PolicyState string

// The states of a policy.
const (
	PolicyOff     PolicyState = "off"      // there are no bots
	PolicyInForce PolicyState = "in_force" // as its file says
	PolicyStale   PolicyState = "stale"    // its file has mistakes: the one before is in force
	PolicyEmpty   PolicyState = "empty"    // nothing is allowed
)

// BotsView is the page that says what bots may do, what they asked for, and how much
// people connect. It is read only.
type BotsView struct {
	User string
	Now  time.Time
	// Owner is whose repositories it is about; empty: all. Owners are those whom the
	// policy names.
	Owner  string
	Owners []string

	Policy PolicyState
	// Problem is what is wrong with the policy's file.
	Problem string
	// RepositoryFile says that each repository has the last word.
	RepositoryFile bool
	Rules          []BotRule

	// Since is how far back the history reaches; zero: there is none.
	Since time.Time
	Uses  []BotUse
	// MoreUses counts rows that were too many, LeftOut repositories that were too many
	// for their events.
	MoreUses, LeftOut int
	People            People
}

// BotRule is a rule of the policy.
type BotRule struct {
	Name, Reason         string
	Callers              []string
	Where                []BotCondition
	Repositories, Except []string
	// Permissions are as in contents:write.
	Permissions []string
	// Reuse is how many minutes old a token may be to be given again; 0: none is.
	Reuse int
}

// BotCondition is a claim, and the texts of which it has to be one.
type BotCondition struct {
	Claim string
	Texts []string
}

// BotUse is how often a caller asked for a repository and permissions, with what
// outcome.
type BotUse struct {
	// Caller is empty for all users of the Hub.
	Caller, Rule, Repository string
	Permissions              []string

	Given, Refused, Failed, Revoked int
	Last                            time.Time
	// AtLeast: there were more than the history remembers.
	AtLeast bool
}

// People is what users did, in numbers.
type People struct {
	// Connected is how many are, and Reaching how many of these reach the owner's
	// repositories.
	Connected, Reaching int
	// The others are of the history: connections begun, made and ended, tokens revoked,
	// and approvals by another account than the identity policy wants.
	Begun, Made, Ended, Revoked, Mismatches int
	// AtLeast: there were more than the history remembers.
	AtLeast bool
}

// ConfirmView is the page that asks a person whether they are who GitHub and the
// Hub say they are. It is the answer to one request, and has a token of its own.
type ConfirmView struct {
	CSRF string
	// User is the Hub's, Login GitHub's.
	User, Login  string
	Confirmation string
	// ExpiresAt is until when the click counts.
	ExpiresAt, Now time.Time
}

// RedirectView is the page between a form and GitHub. It is a page and not a
// redirect because browsers hold a redirect after a form against the
// Content-Security-Policy's form-action, which names this origin only.
type RedirectView struct {
	User string
	// URL is GitHub's page to go to; it must be absolute, http or https.
	URL string
}
