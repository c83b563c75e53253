package bot

import (
	"context"
	"sync"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// identityLife is how long the App's name is remembered: it can be changed at
// GitHub, which hardly anybody does.
const identityLife = time.Hour

type identity struct {
	mu    sync.Mutex
	known Identity
	until time.Time
}

// identify is the App's name, asked of GitHub once an hour with a token that is
// at hand.
func (i *Issuer) identify(ctx context.Context, token secret.String) (Identity, error) {
	i.identity.mu.Lock()
	defer i.identity.mu.Unlock()
	if i.Clock().Before(i.identity.until) {
		return i.identity.known, nil
	}
	known, err := i.GitHub.Identity(ctx, token)
	if err != nil {
		return Identity{}, err
	}
	i.identity.known, i.identity.until = known, i.Clock().Add(identityLife)
	return known, nil
}
