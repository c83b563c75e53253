package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/store"
)

// BenchmarkPolls is the work of the scheduler without GitHub: with 10,000 users
// pending, claim those that are due, look for each whether GitHub's limit is shut,
// and save it with its next due time. It reports users a second; 10,000 users polled every 5 s need 2,000.
func BenchmarkPolls(b *testing.B, backend store.Backend, clock *Clock) {
	const users, workers, page = 10_000, 64, 256
	due := make(chan store.Record)
	limits := store.NewLimits(backend)
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for record := range due {
				if _, err := limits.Until(b.Context(), "oauth"); err != nil {
					b.Errorf("looking: %v", err)
				}
				record.Due = clock.Now().Add(5 * time.Second)
				if _, err := backend.Put(b.Context(), record); err != nil {
					b.Errorf("saving: %v", err)
				}
			}
		})
	}
	for i := range users {
		due <- store.Record{Kind: kind, Key: fmt.Sprint(i), Value: make([]byte, 700)}
	}
	b.ResetTimer()
	for left := b.N; left > 0; {
		claimed, err := backend.Claim(b.Context(), kind, time.Minute, min(page, left))
		require.NoError(b, err)
		if len(claimed) == 0 {
			clock.Advance(5 * time.Second)
		}
		for _, record := range claimed {
			due <- record
		}
		left -= len(claimed)
	}
	close(due)
	group.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "users/s")
}
