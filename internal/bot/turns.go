package bot

import (
	"context"
	"sync"
)

// turns has equal requests go one after the other, so that the second one finds the
// token that the first one has got.
type turns struct {
	mu    sync.Mutex
	taken map[string]chan struct{} // closed when the turn is over
}

// take waits for the turn of a key, which ends with done.
func (t *turns) take(ctx context.Context, key string) (done func(), err error) {
	for {
		t.mu.Lock()
		other, taken := t.taken[key]
		if !taken {
			own := make(chan struct{})
			t.taken[key] = own
			t.mu.Unlock()
			return func() {
				t.mu.Lock()
				defer t.mu.Unlock()
				delete(t.taken, key)
				close(own)
			}, nil
		}
		t.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, unavailable("An equal request has not been answered in time.", ctx.Err())
		}
	}
}
