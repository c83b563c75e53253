package redis

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/store/redistest"
)

// dismissed gives a first subscription to a node that will leave its Cluster.
type dismissed struct {
	goredis.UniversalClient
	node  *goredis.Client
	count atomic.Int64
}

func (d *dismissed) Subscribe(ctx context.Context, channels ...string) *goredis.PubSub {
	if d.count.Add(1) == 1 {
		return d.node.Subscribe(ctx, channels...)
	}
	return d.UniversalClient.Subscribe(ctx, channels...)
}

func TestWatchOutlivesItsSubscription(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Redis)
	s, err := Open(server.URL(""), time.Now, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer s.Close()
	client := &dismissed{UniversalClient: s.client, node: goredis.NewClient(&goredis.Options{Addr: server.Addr})}
	s.client = client

	changes := s.Watch(t.Context(), "thing", "")
	require.Contains(t, <-changes, "")
	require.NoError(t, client.node.Close())
	require.Contains(t, <-changes, "")
	require.EqualValues(t, 2, client.count.Load())
}
