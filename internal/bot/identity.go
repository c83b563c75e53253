package bot

import (
	"context"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/github"
)

const (
	// identityLife is how long the App's name is remembered: it can be changed at
	// GitHub, which hardly anybody does.
	identityLife = time.Hour
	// nameWait is how long a token is held back for it, and nameRetry how long after
	// an error it is not asked for.
	nameWait  = 5 * time.Second
	nameRetry = time.Minute
)

type identity struct {
	// turn is held by who reads or asks; a lock that can be waited for no longer
	// than the caller has time.
	turn  chan struct{}
	known github.Identity
	until time.Time
}

// identify is the App's name, asked of GitHub once an hour with a token that is
// at hand. Where GitHub does not say it, the one known before stands, if any.
func (i *Issuer) identify(ctx context.Context, token github.InstallationToken) (github.Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, nameWait)
	defer cancel()
	select {
	case i.identity.turn <- struct{}{}:
		defer func() { <-i.identity.turn }()
	case <-ctx.Done():
		return github.Identity{}, unavailable("GitHub has not said the App's name in time.", ctx.Err())
	}
	if i.Clock().Before(i.identity.until) {
		return i.identity.known, nil
	}
	known, err := i.GitHub.Identity(ctx, token)
	if err != nil {
		i.identity.until = i.Clock().Add(nameRetry)
		return i.identity.known, err
	}
	i.identity.known, i.identity.until = known, i.Clock().Add(identityLife)
	return known, nil
}
