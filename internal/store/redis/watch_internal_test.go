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

// dismissed gives a first subscription that ends at once, as that to a node that
// has left its Cluster.
type dismissed struct {
	goredis.UniversalClient
	gone  *goredis.Client
	count atomic.Int64
}

func (d *dismissed) Subscribe(ctx context.Context, channels ...string) *goredis.PubSub {
	if d.count.Add(1) == 1 {
		return d.gone.Subscribe(ctx, channels...)
	}
	return d.UniversalClient.Subscribe(ctx, channels...)
}

func TestWatchOutlivesItsSubscription(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Redis)
	s, err := Open(server.URL(""), time.Now, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer s.Close()
	client := &dismissed{UniversalClient: s.client, gone: goredis.NewClient(&goredis.Options{Addr: server.Addr})}
	require.NoError(t, client.gone.Close())
	s.client = client

	require.Contains(t, <-s.Watch(t.Context(), "thing", ""), "")
	require.EqualValues(t, 2, client.count.Load())
}
