package bolt

import (
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
	bberrors "go.etcd.io/bbolt/errors"

	"github.com/ghscoped/ghscoped-service/internal/store"
)

// The reserve is room in the file that nothing uses as long as the file can grow.
// Where it cannot, because the disk is full, what is under way continues in it: it
// changes and deletes records, and makes no new ones.
//
// It consists of buckets with random bytes, so that the file system has really given
// the room. Each is given up by one small transaction, for which the pages that the
// one before it freed are enough.
//
// A bucket's bytes are in values of half a page each. So they need no pages that lie
// side by side, which a file that has been full has few of. For the same reason the
// reserve helps with records of the size that the service writes, some KiB: bbolt
// writes a leaf, with up to four records whatever their size, to pages side by side,
// and may find no room for a leaf of 100 KiB in all of the reserve.
const (
	reserveParts  = 32
	partValues    = 32
	partValueSize = 1900 // two of them, their keys and a page's head take less than 4 KiB
	// restoreEvery is how often it is tried whether the disk has room again.
	restoreEvery = 5 * time.Second
)

// How many parts of the reserve a write must leave.
const (
	// forChanges is for what changes or deletes a record.
	forChanges = 0
	// forSessions is for new sessions: without one nobody could disconnect.
	forSessions = reserveParts / 2
	// forOthers is for all other new records.
	forOthers = reserveParts
)

// leaves is how many parts the writing of a record must leave.
func leaves(record store.Record) int {
	switch {
	case record.Version != 0:
		return forChanges
	case record.Kind == store.KindSession:
		return forSessions
	}
	return forOthers
}

// refuses reports whether a write has to be refused, since the file cannot grow
// and too little of the reserve is left.
func (s *Store) refuses(leave int) bool {
	return leave > 0 && s.full.Load() && int(s.left.Load()) <= leave
}

func partName(part int) []byte { return fmt.Appendf(nil, "reserve%02d", part) }

// restore makes the reserve whole, or leaves it as it is where the disk is full.
func (s *Store) restore() error {
	s.reserve.Lock()
	defer s.reserve.Unlock()
	missing := 0
	err := s.db.Update(func(tx *bbolt.Tx) error {
		missing = 0
		for part := range reserveParts {
			if tx.Bucket(partName(part)) != nil {
				continue
			}
			missing++
			bucket, err := tx.CreateBucket(partName(part))
			if err != nil {
				return err
			}
			for value := range partValues {
				bytes := make([]byte, partValueSize)
				rand.Read(bytes)
				if err := bucket.Put([]byte{byte(value)}, bytes); err != nil {
					return err
				}
			}
		}
		return nil
	})
	switch {
	case diskFull(err):
		s.full.Store(true)
		s.left.Store(int32(reserveParts - missing))
		s.tried = s.clock()
		return nil
	case err != nil:
		return err
	}
	s.left.Store(reserveParts)
	s.full.Store(false)
	return nil
}

// mayHaveRoom reports whether it is time to try whether the disk has room again.
func (s *Store) mayHaveRoom() bool {
	s.reserve.Lock()
	defer s.reserve.Unlock()
	if s.clock().Sub(s.tried).Abs() < restoreEvery {
		return false
	}
	s.tried = s.clock()
	return true
}

// release gives up one part of the reserve.
func (s *Store) release() error {
	s.reserve.Lock()
	defer s.reserve.Unlock()
	for part := range reserveParts {
		err := s.db.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket(partName(part)) })
		if errors.Is(err, bberrors.ErrBucketNotFound) {
			continue
		}
		if err == nil {
			s.left.Add(-1)
		}
		return err
	}
	return nil
}
