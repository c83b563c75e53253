package flow

import (
	"context"
	"slices"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/audit"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

const (
	// revokeBase is the first wait after a failed revocation, revokeMax the longest.
	revokeBase = 5 * time.Second
	revokeMax  = 30 * time.Minute
)

// revokeOne makes one token invalid at GitHub, and tries until it would have
// ended by itself.
func (e *Engine) revokeOne(ctx context.Context, u *User, r Revocation) outcome {
	if !r.ExpiresAt.After(e.clock()) {
		return ofRevocation(r, func(u *User, i int) { u.Revocations = slices.Delete(u.Revocations, i, i+1) })
	}
	err := e.github.Revoke(ctx, r.Token.String)
	e.metrics.countRevoked(status(err))
	cause := e.recorded(ctx, u, "revoke", audit.Event{Action: "revoked", TokenHash: r.Token.Hash(), Reason: r.Reason}, err)
	return ofRevocation(r, func(u *User, i int) {
		if cause == nil {
			u.Revocations = slices.Delete(u.Revocations, i, i+1)
			return
		}
		u.Revocations[i].laterWithin(e.clock(), revokeBase, revokeMax, cause)
	})
}

func ofRevocation(r Revocation, change func(*User, int)) outcome {
	hash := r.Token.Hash()
	return outcome{change: func(u *User) {
		if i := u.revocation(hash); i >= 0 {
			change(u, i)
		}
	}}
}

// undo revokes a token that could not be stored.
func (e *Engine) undo(ctx context.Context, token github.Token) {
	for _, value := range []secret.Stored{token.Refresh, token.Access} {
		if value.Empty() {
			continue
		}
		err := e.github.Revoke(ctx, value.String)
		e.metrics.countRevoked(status(err))
		if err != nil {
			e.logger.Error("a token that could not be stored could not be revoked either",
				"token_sha256", value.Hash(), "error", err)
		}
	}
}
