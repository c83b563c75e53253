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

// subscribeTimeout is how long the server may take to begin a subscription.
const subscribeTimeout = 2 * time.Second

// Watch reports what any replica changes. The server must be there when it is
// called; afterwards it may come and go.
func (s *Store) Watch(ctx context.Context, kind store.Kind) (<-chan string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.done.Err() != nil {
		return nil, unavailable(ctx, goredis.ErrClosed)
	}
	subscription := s.client.Subscribe(ctx, s.channel(kind))
	// The first answer says that the subscription stands.
	if _, err := subscription.ReceiveTimeout(ctx, subscribeTimeout); err != nil {
		_ = subscription.Close()
		return nil, unavailable(ctx, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.done, cancel)
	var changes store.Notifier
	keys := changes.Watch(ctx, kind)
	go func() {
		defer subscription.Close()
		defer stop()
		defer cancel()
		follow(ctx, subscription, func(key string) { changes.Changed(kind, key) })
	}()
	return keys, nil
}

func follow(ctx context.Context, subscription *goredis.PubSub, changed func(key string)) {
	reread := time.NewTicker(rereadEvery)
	defer reread.Stop()
	messages := subscription.ChannelWithSubscriptions()
	for {
		select {
		case <-ctx.Done():
			return
		case <-reread.C:
			changed("")
		case message, ok := <-messages:
			if !ok {
				return
			}
			switch message := message.(type) {
			case *goredis.Message:
				changed(message.Payload)
			case *goredis.Subscription: // again: the connection was lost
				changed("")
			}
		}
	}
}
