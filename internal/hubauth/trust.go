package hubauth

import (
	"maps"
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
	// refuseFor is how long the Hub's no to a program's token counts, so that a
	// program in a loop does not ask the Hub as often. It is short, since a no may
	// be a mistake.
	refuseFor = 2 * time.Second
	// maxRefused bounds how many refused tokens are remembered at once.
	maxRefused = 1024
)

// trust remembers to which tokens the Hub has just said yes, and for a moment
// which it did not know. Safe for concurrent use.
type trust struct {
	clock   func() time.Time
	mu      sync.Mutex
	known   map[string]yes       // by the token's hash
	unknown map[string]time.Time // when the Hub said no, by the token's hash
}

// yes is the Hub's answer: whose token it is, and when it said so.
type yes struct {
	user hub.User
	at   time.Time
}

func newTrust(clock func() time.Time) *trust {
	return &trust{clock: clock, known: map[string]yes{}, unknown: map[string]time.Time{}}
}

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

// refuse forgets a token that the Hub does not know, and remembers that for a
// moment.
func (t *trust) refuse(token secret.String) {
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
func (t *trust) refused(token secret.String) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.clock().Sub(t.unknown[token.Hash()]) < refuseFor
}

func (t *trust) drop(token secret.String) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.known, token.Hash())
}
