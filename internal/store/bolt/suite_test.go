package bolt_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/store"
	"github.com/ghscoped/ghscoped-service/internal/store/bolt"
	"github.com/ghscoped/ghscoped-service/internal/store/storetest"
)

func TestBoltIsABackend(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Suite{New: func(t *testing.T, clock func() time.Time) func() store.Backend {
		path := filepath.Join(t.TempDir(), "store.db")
		return func() store.Backend {
			backend, err := bolt.Open(path, clock)
			require.NoError(t, err)
			return backend
		}
	}})
}
