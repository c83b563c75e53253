package hubauth

import (
	"maps"
	"sync"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

const (
	// recheck is how long the Hub's answer to a token is cached for reading, a session's
	// as well as a program's. Calls that change something always ask. JupyterHub's
	// own services (HubAuth.cache_max_age) trust an answer for five minutes.
	recheck = time.Minute
	// maxCached bounds how many tokens are cached at once; further ones are asked
	// about each time.
	maxCached = 4096
	// refuseFor is how long the Hub's no to a program's token counts, so that a
	// program in a loop does not ask the Hub as often. It is short, since a no may
	// be a mistake.
	refuseFor = 2 * time.Second
	// maxRefused bounds how many refused tokens are remembered at once.
	maxRefused = 1024
)

// tokenCache has the Hub's last answers about tokens: whose they are, and for a
// moment which it did not know. Safe for concurrent use.
type tokenCache struct {
	clock   func() time.Time
	mu      sync.Mutex
	known   map[string]cachedUser // by the token's hash
	unknown map[string]time.Time  // when the Hub said so, by the token's hash
}

// cachedUser is whose token it is, and when the Hub said so.
type cachedUser struct {
	user hub.User
	at   time.Time
}

func newTokenCache(clock func() time.Time) *tokenCache {
	return &tokenCache{clock: clock, known: map[string]cachedUser{}, unknown: map[string]time.Time{}}
}

func (t *tokenCache) get(token secret.String) (user hub.User, cached bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	last := t.known[token.Hash()]
	return last.user, t.fresh(last)
}

func (t *tokenCache) fresh(c cachedUser) bool { return t.clock().Sub(c.at) < recheck }

func (t *tokenCache) add(token secret.String, user hub.User) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.known) >= maxCached {
		for other, last := range t.known {
			if !t.fresh(last) {
				delete(t.known, other)
			}
		}
	}
	hash := token.Hash()
	if _, known := t.known[hash]; known || len(t.known) < maxCached {
		t.known[hash] = cachedUser{user, t.clock()}
	}
}

// refuse forgets a token that the Hub does not know, and remembers that for a
// moment.
func (t *tokenCache) refuse(token secret.String) {
	t.mu.Lock()
	defer t.mu.Unlock()
	hash, now := token.Hash(), t.clock()
	delete(t.known, hash)
	maps.DeleteFunc(t.unknown, func(_ string, at time.Time) bool { return now.Sub(at) >= refuseFor })
	if len(t.unknown) < maxRefused {
		t.unknown[hash] = now
	}
}

// refused reports whether the Hub has just said that it does not know a token.
func (t *tokenCache) refused(token secret.String) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.clock().Sub(t.unknown[token.Hash()]) < refuseFor
}

func (t *tokenCache) drop(token secret.String) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.known, token.Hash())
}
