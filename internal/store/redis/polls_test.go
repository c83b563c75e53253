package redis_test

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/store/redis"
	"github.com/ghscoped/ghscoped-service/internal/store/redistest"
	"github.com/ghscoped/ghscoped-service/internal/store/storetest"
)

func BenchmarkPolls(b *testing.B) {
	server := redistest.Start(b, redistest.Redis, "--appendonly", "yes")
	clock := storetest.NewClock()
	backend, err := redis.Open(server.URL(""), clock.Now, slog.New(slog.DiscardHandler))
	require.NoError(b, err)
	defer backend.Close()
	storetest.BenchmarkPolls(b, backend, clock)
}
