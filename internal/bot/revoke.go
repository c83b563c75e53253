package bot

import (
	"context"
	"errors"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/audit"
)

// Live lists the tokens that were given away and have not expired, of one
// caller ("service:nbbot") or, for "", of all.
func (i *Issuer) Live(ctx context.Context, caller string) ([]Live, error) {
	return i.Store.List(ctx, caller)
}

// Revoke makes one live token of a caller invalid, named by its SHA-256. by is
// who wants it, for the audit. A token that is not the caller's, or no longer
// live, is the error token_unknown.
func (i *Issuer) Revoke(ctx context.Context, by, caller, id string) error {
	all, err := i.Store.List(ctx, caller)
	if err != nil {
		return unavailable("The live tokens cannot be read.", err)
	}
	for _, live := range all {
		if live.ID == id && live.Caller == caller {
			return i.revoke(ctx, by, live)
		}
	}
	return &apierror.Error{Code: apierror.CodeTokenUnknown, Message: "There is no such live token.", Hint: "It may have expired or been revoked already."}
}

// RevokeAll makes all live tokens of a caller invalid, or for "" those of all
// callers. It continues after a failure, and returns how many it revoked.
func (i *Issuer) RevokeAll(ctx context.Context, by, caller string) (int, error) {
	all, err := i.Store.List(ctx, caller)
	if err != nil {
		return 0, unavailable("The live tokens cannot be read.", err)
	}
	var failures []error
	for _, live := range all {
		if err := i.revoke(ctx, by, live); err != nil {
			failures = append(failures, err)
		}
	}
	return len(all) - len(failures), errors.Join(failures...)
}

// revoke forgets a token only when GitHub has killed it, so that it can be
// tried again.
func (i *Issuer) revoke(ctx context.Context, by string, live Live) error {
	event := audit.Event{Time: i.Clock(), Action: ActionRevoke,
		OfBot:        audit.OfBot{Caller: live.Caller, By: by, Rule: live.Rule, Permissions: live.Permissions},
		Repositories: live.Repositories, TokenHash: live.ID, ExpiresAt: live.ExpiresAt, Outcome: Revoked}
	err := i.GitHub.RevokeInstallationToken(ctx, live.asked())
	if err != nil {
		event.Outcome = Failed
		event.Code, event.Why = apierror.CodeOf(err), cause(err)
	}
	if err == nil {
		err = i.Store.Remove(ctx, live.Caller, live.ID)
	}
	return errors.Join(err, i.Audit.Keep(ctx, event))
}
