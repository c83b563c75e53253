package bolt_test

import (
	stdcontext "context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/store"
	"github.com/ghscoped/ghscoped-service/internal/store/bolt"
	"github.com/ghscoped/ghscoped-service/internal/store/storetest"
)

func context() stdcontext.Context { return stdcontext.Background() }

// fill writes records of size bytes, many at once so that they share fsyncs.
func fill(t testing.TB, b *bolt.Store, records, size int) {
	t.Helper()
	var group sync.WaitGroup
	for i := range records {
		group.Go(func() {
			record := store.Record{Kind: kind, Key: fmt.Sprintf("%04d", i), Value: make([]byte, size), Due: time.Now()}
			if _, err := b.Put(context(), record); err != nil {
				t.Errorf("filling: %v", err)
			}
		})
	}
	group.Wait()
}

// BenchmarkPolls is the work of the scheduler without GitHub: with 10,000 users
// pending, claim those that are due and save each with its next due time. It
// reports users a second; 10,000 users polled every 5 s need 2,000.
func BenchmarkPolls(b *testing.B) {
	const users, workers, page = 10_000, 64, 256
	clock := storetest.NewClock()
	backend, err := bolt.Open(filepath.Join(b.TempDir(), "store.db"), clock.Now)
	require.NoError(b, err)
	defer backend.Close()
	fill(b, backend, users, 700)
	clock.Advance(time.Hour)

	claimed := make(chan store.Record)
	var group sync.WaitGroup
	b.ResetTimer()
	for range workers {
		group.Go(func() {
			for record := range claimed {
				record.Due = clock.Now().Add(5 * time.Second)
				if _, err := backend.Put(context(), record); err != nil {
					b.Errorf("saving: %v", err)
				}
			}
		})
	}
	for left := b.N; left > 0; {
		records, err := backend.Claim(context(), kind, time.Minute, min(page, left))
		require.NoError(b, err)
		if len(records) == 0 {
			clock.Advance(5 * time.Second)
		}
		for _, record := range records {
			claimed <- record
		}
		left -= len(records)
	}
	close(claimed)
	group.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "users/s")
}
