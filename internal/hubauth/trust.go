package hubauth

import (
	"sync"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

const (
	// recheck is how long the Hub's yes to a token counts for reading, a session's
	// as well as a program's. Calls that change something always ask. JupyterHub's
	// own services (HubAuth.cache_max_age) trust an answer for five minutes.
	recheck = time.Minute
	// maxTrusted bounds how many tokens are trusted at once; further ones are
	// asked about each time.
	maxTrusted = 4096
)

// trust remembers to which tokens the Hub has just said yes. A no is never
// remembered. Safe for concurrent use.
type trust struct {
	clock func() time.Time
	mu    sync.Mutex
	known map[string]yes // by the token's hash
}

// yes is the Hub's answer: whose token it is, and when it said so.
type yes struct {
	user hub.User
	at   time.Time
}

func newTrust(clock func() time.Time) *trust { return &trust{clock: clock, known: map[string]yes{}} }

func (t *trust) holder(token secret.String) (user hub.User, trusted bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	last := t.known[token.Hash()]
	return last.user, t.fresh(last)
}

func (t *trust) fresh(y yes) bool { return t.clock().Sub(y.at) < recheck }

func (t *trust) add(token secret.String, user hub.User) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.known) >= maxTrusted {
		for other, last := range t.known {
			if !t.fresh(last) {
				delete(t.known, other)
			}
		}
	}
	hash := token.Hash()
	if _, known := t.known[hash]; known || len(t.known) < maxTrusted {
		t.known[hash] = yes{user, t.clock()}
	}
}

func (t *trust) drop(token secret.String) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.known, token.Hash())
}
