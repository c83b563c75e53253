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

func BenchmarkPolls(b *testing.B) {
	clock := storetest.NewClock()
	backend, err := bolt.Open(filepath.Join(b.TempDir(), "store.db"), clock.Now)
	require.NoError(b, err)
	defer backend.Close()
	storetest.BenchmarkPolls(b, backend, clock)
}
