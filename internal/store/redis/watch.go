package redis

import (
	"context"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/ghscoped/ghscoped-service/internal/store"
)

// rereadEvery is how often watchers are told that anything may have changed: a
// net below the channel, which Redis does not promise to deliver.
const rereadEvery = time.Minute

const (
	// subscribeTimeout is how long the server may take to begin a subscription.
	subscribeTimeout = 2 * time.Second
	// subscribeAgain is how long after the end of a subscription the next one begins.
	subscribeAgain = time.Second
)

// Watch reports what any replica changes. All watches of a kind share one
// subscription, which the first of them begins and Close ends.
func (s *Store) Watch(ctx context.Context, kind store.Kind, key string) <-chan store.KeySet {
	changes := s.changes.Watch(ctx, kind, key)
	if _, begun := s.subscribed.LoadOrStore(kind, true); !begun {
		go s.subscribe(kind)
	}
	return changes
}

// subscribe reports what comes from a kind's channel, until the store is closed.
func (s *Store) subscribe(kind store.Kind) {
	for s.done.Err() == nil {
		s.follow(kind)
		select {
		case <-s.done.Done():
		case <-time.After(subscribeAgain):
		}
	}
}

// follow reports what comes from one subscription, until there is none. go-redis
// begins it again whenever the connection is lost, but gives up when a Cluster has
// dismissed the node.
func (s *Store) follow(kind store.Kind) {
	subscription := s.client.Subscribe(s.done, s.channel(kind))
	defer subscription.Close()
	// The first answer says that the subscription stands. What changed before was
	// not heard.
	if _, err := subscription.ReceiveTimeout(s.done, subscribeTimeout); err != nil {
		if goredis.IsPermissionError(err) {
			s.advice.warn("Redis refuses the subscription by which pages hear of changes: let the user SUBSCRIBE", "channel", s.channel(kind))
		}
		return
	}
	s.changes.Changed(kind, "")

	reread := time.NewTicker(rereadEvery)
	defer reread.Stop()
	messages := subscription.ChannelWithSubscriptions()

	for {
		select {
		case <-s.done.Done():
			return
		case <-reread.C:
			s.changes.Changed(kind, "")
		case message, open := <-messages:
			if !open {
				return
			}
			key := "" // it stands again
			if change, is := message.(*goredis.Message); is {
				key = change.Payload
			}
			s.changes.Changed(kind, key)
		}
	}
}
