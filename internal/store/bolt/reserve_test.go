package bolt_test

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/store"
	"github.com/ghscoped/ghscoped-service/internal/store/bolt"
	"github.com/ghscoped/ghscoped-service/internal/store/storetest"
)

// TestPutWhenFullChangesAndDeletesWhatIsThere runs in a process of its own, whose
// files may not grow.
func TestPutWhenFullChangesAndDeletesWhatIsThere(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	_, out := startChild(t, "underway", path)
	said, err := io.ReadAll(out)
	require.NoError(t, err)
	require.Equal(t, "<nil>\n", string(said))
	_, err = bolt.Check(path)
	require.NoError(t, err, "the file is sound")
}

func goOnWhenFull(path string) error {
	clock := storetest.NewClock()
	b, err := bolt.Open(path, clock.Now)
	if err != nil {
		return err
	}
	const flows = 100
	records := make([]store.Record, flows)
	for i := range records {
		records[i] = store.Record{Kind: store.KindUser, Key: fmt.Sprint("user", i), Due: clock.Now(), Value: make([]byte, 800)}
		if records[i].Version, err = b.Put(context(), records[i]); err != nil {
			return err
		}
	}
	limit := syscall.Rlimit{Cur: 5 << 20, Max: 5 << 20}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	fill := func(kind store.Kind, size int) (made int, err error) {
		for ; err == nil; made++ {
			_, err = b.Put(context(), store.Record{Kind: kind, Key: fmt.Sprint(size, "-", made), Value: make([]byte, size)})
		}
		if !errors.Is(err, store.ErrFull) || !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, bolt.ErrFull) {
			return made, fmt.Errorf("not told as a full store: %w", err)
		}
		return made, nil
	}
	for _, size := range []int{4 << 10, 1000, 100, 1} { // of the largest event, until not even a little fits
		if _, err := fill(store.KindEvent, size); err != nil {
			return err
		}
	}
	change := func() error {
		for i := range records {
			records[i].Value = make([]byte, 1500) // a flow that got further
			if records[i].Version, err = b.Put(context(), records[i]); err != nil {
				return fmt.Errorf("change %d: %w", i, err)
			}
		}
		_, err := b.Claim(context(), store.KindUser, time.Minute, 100)
		return errors.Join(err, b.Ping(context()))
	}
	if err := change(); err != nil {
		return err
	}
	for i := range records {
		record, err := b.Get(context(), store.KindUser, records[i].Key)
		if err != nil {
			return err
		}
		records[i] = record
	}
	signedIn, err := fill(store.KindSession, 400)
	if err != nil || signedIn < 200 {
		return fmt.Errorf("%d sessions: %w", signedIn, err)
	}
	for range 3 {
		if err := change(); err != nil {
			return fmt.Errorf("after the sessions: %w", err)
		}
		for i := range records {
			record, err := b.Get(context(), store.KindUser, records[i].Key)
			if err != nil {
				return err
			}
			records[i] = record
		}
	}
	for _, record := range slices.Backward(records) {
		if err := b.Delete(context(), record.Kind, record.Key, record.Version); err != nil {
			return fmt.Errorf("deleting: %w", err)
		}
	}
	return errors.Join(roomAgain(b, clock), b.Close())
}

// roomAgain checks that new records are taken again once there is room for them
// and for the reserve.
func roomAgain(b *bolt.Store, clock *storetest.Clock) error {
	for after := ""; ; {
		records, err := b.List(context(), store.KindEvent, after, 100)
		if err != nil {
			return err
		}
		for _, record := range records {
			if err := b.Delete(context(), record.Kind, record.Key, record.Version); err != nil {
				return err
			}
			after = record.Key
		}
		if len(records) == 0 {
			break
		}
	}
	fresh := store.Record{Kind: store.KindUser, Key: "new"}
	if _, err := b.Put(context(), fresh); !errors.Is(err, store.ErrFull) {
		return fmt.Errorf("the disk was looked at again too early: %w", err)
	}
	clock.Advance(5 * time.Second)
	_, err := b.Put(context(), fresh)
	return err
}
