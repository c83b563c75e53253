package flow

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/audit"
	"github.com/ghscoped/ghscoped-service/internal/credential"
	"github.com/ghscoped/ghscoped-service/internal/github"
)

const (
	// maxScoped bounds the one-repository tokens of a connection. GitHub keeps
	// ten tokens for a user and an App ("Token expiration and revocation" in its
	// documentation) and revokes the oldest beyond that, which would be the
	// connection's, of which all others are made. The tenth is one on its way out.
	maxScoped = 8
	// maxAsks bounds how often GitHub is asked for one user within an hour. The
	// App's own limit there is everybody's, and revocations count against it too.
	maxAsks = 60
	// scopedPatience is how long a caller waits for GitHub; git's helper waits a
	// little longer.
	scopedPatience = 8 * time.Second
)

var (
	errRepositoryUnnamed = &apierror.Error{Code: apierror.CodeRepositoryUnnamed,
		Message: "This Hub gives git a token for one repository at a time, and git did not say for which.",
		Hint:    "Run ghscoped setup, or set git's credential.useHttpPath to true; then do this again."}
	errManyTokens = &apierror.Error{Code: apierror.CodeManyTokens, Message: "git asked for a token too often within an hour.",
		Hint: "Try again in an hour; tokens that git has keep working.", Retryable: true}
	errTokenUnknown = &apierror.Error{Code: apierror.CodeTokenUnknown, Message: "There is no such token of yours (any more).", Hint: "Nothing needs to be done."}
	errScopedSlow   = &apierror.Error{Code: apierror.CodeInterrupted, Message: "GitHub takes long to make the token for this repository.",
		Hint: "Do this again in a moment.", Retryable: true}
)

// ScopedToken is a token for one repository, made from the connection's own. It
// ends with the connection.
type ScopedToken struct {
	// Repository is OWNER/NAME; the case of letters does not count.
	Repository string       `json:"repository"`
	Token      github.Token `json:"token,omitzero"`
	// Due is when GitHub is to be asked for the token; zero: it was.
	Due time.Time `json:"due,omitzero"`
	// Error is why there is no token. Passing and RetryAt keep what is not stored
	// with an error: that asking again may help, and from when on.
	Error     *apierror.Error `json:"error,omitempty"`
	Retryable bool            `json:"passing,omitempty"`
	RetryAt   time.Time       `json:"retry_at,omitzero"`
}

// failed is the entry of a repository for which there is no token.
func failed(repository string, cause *apierror.Error, now time.Time) ScopedToken {
	n := ScopedToken{Repository: repository, Error: cause, Retryable: cause.Retryable}
	if cause.RetryAfter > 0 {
		n.RetryAt = now.Add(cause.RetryAfter)
	}
	return n
}

// failure is the entry's error, as whoever waited for the token is told it.
func (n *ScopedToken) failure(now time.Time) *apierror.Error {
	told := *n.Error
	told.Retryable, told.RetryAfter = n.Retryable, max(0, n.RetryAt.Sub(now))
	return &told
}

func (n *ScopedToken) lives(now time.Time) bool {
	return n != nil && !n.Token.Access.Empty() && n.Token.ExpiresAt.After(now)
}

// scoped finds the entry for a repository; nil where there is none.
func (c *Connection) scoped(repository string) *ScopedToken {
	for i := range c.Scoped {
		if strings.EqualFold(c.Scoped[i].Repository, repository) {
			return &c.Scoped[i]
		}
	}
	return nil
}

// repositoryCredential is a live token for the repository alone: the one that is
// in the record, or one that the scheduler is asked for. Whoever asks meanwhile,
// in whichever process, waits for the same one.
func (e *Engine) repositoryCredential(ctx context.Context, caller Caller, repository string) (credential.Credential, error) {
	if repository == "" {
		return credential.Credential{}, errRepositoryUnnamed
	}
	ctx, cancel := context.WithTimeout(ctx, scopedPatience)
	defer cancel()
	changes := e.Watch(ctx, caller.User)
	for waited := false; ; {
		user, err := e.want(ctx, caller, repository, waited)
		if errors.Is(err, ErrConflict) && ctx.Err() == nil {
			continue // many ask at once, as for submodules
		}
		if err != nil {
			return credential.Credential{}, err
		}
		n := user.Connection.scoped(repository)
		switch {
		case n.lives(e.clock()):
			return e.scopedCredential(user.Connection, n), nil
		case n != nil && n.Error != nil:
			return credential.Credential{}, n.failure(e.clock())
		}
		waited = waited || n != nil
		if _, open := <-changes; !open {
			return credential.Credential{}, errScopedSlow
		}
	}
}

func (e *Engine) scopedCredential(c *Connection, n *ScopedToken) credential.Credential {
	credential := e.credential(c)
	credential.Password, credential.ExpiresAt = n.Token.Access.String, n.Token.ExpiresAt
	return credential
}

// want plans a token for the repository, unless there is one or it is planned.
// An error that was there before anybody waited is an old one: GitHub is asked
// again. Where all places are taken by tokens yet to come, nothing is planned.
func (e *Engine) want(ctx context.Context, caller Caller, repository string, waited bool) (*User, error) {
	user, _, err := e.update(ctx, caller, func(u *User) (bool, error) {
		now := e.clock()
		c := u.Connection
		if err := e.mayHave(c, caller); err != nil {
			return false, err
		}
		if n := c.scoped(repository); n.lives(now) || (n != nil && (!n.Due.IsZero() || waited)) || !e.makeRoom(u, repository) {
			return false, nil
		}
		if now.Sub(c.AskedSince) >= time.Hour {
			c.Asked, c.AskedSince = 0, now
		}
		if c.Asked++; c.Asked > maxAsks {
			refused := *errManyTokens
			refused.RetryAfter = c.AskedSince.Add(time.Hour).Sub(now)
			return false, &refused
		}
		c.Scoped = append(c.Scoped, ScopedToken{Repository: repository, Due: now})
		return true, nil
	})
	return user, err
}

// makeRoom drops what has expired, and revokes the oldest token where there
// are too many.
func (e *Engine) makeRoom(u *User, repository string) bool {
	c, now := u.Connection, e.clock()
	c.Scoped = slices.DeleteFunc(c.Scoped, func(n ScopedToken) bool {
		return strings.EqualFold(n.Repository, repository) || (n.Due.IsZero() && !n.lives(now))
	})
	if len(c.Scoped) < maxScoped {
		return true
	}
	oldest := slices.IndexFunc(c.Scoped, func(n ScopedToken) bool { return n.Due.IsZero() })
	if oldest < 0 {
		return false
	}
	e.revoke(u, c.Scoped[oldest].Token, "too_many")
	c.Scoped = slices.Delete(c.Scoped, oldest, oldest+1)
	return true
}

// makeScoped asks GitHub for a token that reaches the repository and nothing else.
func (e *Engine) makeScoped(ctx context.Context, u *User, n ScopedToken) outcome {
	whole := u.Connection.Token.Access
	token, err := e.github.ScopeToken(ctx, whole.String, n.Repository)
	event := audit.Event{Action: "narrowed", OfUser: audit.OfUser{Account: u.Connection.Account.Login}, TokenHash: token.Access.Hash(),
		ExpiresAt: token.ExpiresAt, Repositories: []string{n.Repository}}
	if cause := e.recorded(ctx, u, "scope", event, err); cause != nil {
		return outcome{change: func(u *User) { e.scopedFailed(u, whole.Hash(), n, cause) }}
	}
	return outcome{
		change: func(u *User) { e.scopedMade(u, whole.Hash(), n, token) },
		lost:   func(ctx context.Context) { e.undo(ctx, token) },
	}
}

// awaited is the entry that a step was about; nil where nobody waits for it any
// more, because the connection is another one by now, or over.
func (u *User) awaited(whole string, n ScopedToken) *ScopedToken {
	if u.Connection == nil || u.Connection.Token.Access.Hash() != whole {
		return nil
	}
	entry := u.Connection.scoped(n.Repository)
	if entry == nil || entry.Due.IsZero() {
		return nil
	}
	return entry
}

func (e *Engine) scopedMade(u *User, whole string, n ScopedToken, token github.Token) {
	entry := u.awaited(whole, n)
	switch {
	case u.holds(token): // stored already
	case entry == nil:
		e.revoke(u, token, "late_narrowing")
	case token.ExpiresAt.IsZero():
		e.revoke(u, token, errNeverExpires.Code)
		*entry = failed(entry.Repository, errNeverExpires, e.clock())
	default:
		*entry = ScopedToken{Repository: entry.Repository, Token: token}
	}
}

// scopedFailed tells those who wait; whoever asks next has GitHub asked again.
func (e *Engine) scopedFailed(u *User, whole string, n ScopedToken, cause *apierror.Error) {
	entry := u.awaited(whole, n)
	if entry == nil {
		return
	}
	*entry = failed(entry.Repository, cause, e.clock())
	if cause.Code == apierror.CodeTokenDead {
		u.Connection.nextCheck().Due = e.clock() // the connection's token; the check ends the connection
	}
}

// makesScoped reports whether a token is yet to be made.
func (c *Connection) makesScoped() bool {
	return slices.ContainsFunc(c.Scoped, func(n ScopedToken) bool { return !n.Due.IsZero() })
}

// Refused drops a one-repository token, named by its SHA-256, that GitHub has
// refused to somebody: the next one who asks gets another.
func (e *Engine) Refused(ctx context.Context, caller Caller, hash string) error {
	_, _, err := e.update(ctx, caller, func(u *User) (bool, error) {
		if err := e.mayHave(u.Connection, caller); err != nil {
			return false, err
		}
		c := u.Connection
		i := slices.IndexFunc(c.Scoped, func(n ScopedToken) bool { return hash != "" && n.Token.Access.Hash() == hash })
		if i < 0 {
			return false, errTokenUnknown
		}
		e.revoke(u, c.Scoped[i].Token, "refused")
		c.Scoped = slices.Delete(c.Scoped, i, i+1)
		return true, nil
	})
	return err
}
