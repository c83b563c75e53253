package bolt

import (
	"context"
	"time"

	"go.etcd.io/bbolt"

	"github.com/ghscoped/ghscoped-service/internal/store"
)

// purgeEach is how many expired records a write takes along; more than one, so
// that the file shrinks faster than it grows.
const purgeEach = 4

// Get returns a record, or [store.ErrNotFound].
func (s *Store) Get(ctx context.Context, kind store.Kind, key string) (store.Record, error) {
	var record store.Record
	found := false
	err := s.read(ctx, func(tx *bbolt.Tx) (err error) {
		t, ok := openRecords(tx, kind)
		if !ok {
			return nil
		}
		record, found, err = t.live(key, s.clock())
		record = detach(record)
		return err
	})
	if err == nil && !found {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.Record{}, err
	}
	return record, nil
}

// Put writes a record if the stored version is record.Version.
func (s *Store) Put(ctx context.Context, record store.Record) (version uint64, err error) {
	if err := record.Validate(); err != nil {
		return 0, err
	}
	conflict, late := false, false
	err = s.write(ctx, leaves(record), func(tx *bbolt.Tx) error {
		// It may share the transaction with changes for which the reserve is.
		if late = s.refuses(leaves(record)); late {
			return nil
		}
		now := s.clock()
		t, err := makeTable(tx, record.Kind)
		if err != nil {
			return err
		}
		if _, err := t.purge(now, purgeEach); err != nil {
			return err
		}
		old, found, err := t.live(record.Key, now)
		if err != nil {
			return err
		}
		if conflict = found != (record.Version != 0) || found && old.Version != record.Version; conflict {
			return nil
		}
		version, err = t.put(record)
		return err
	})
	if err != nil {
		return 0, err
	}
	if late {
		return 0, s.unavailable(ErrFull)
	}
	if conflict {
		return 0, store.ErrConflict
	}
	s.changes.Changed(record.Kind, record.Key)
	return version, nil
}

// Delete removes a record if the stored version is still version.
func (s *Store) Delete(ctx context.Context, kind store.Kind, key string, version uint64) error {
	var refusal error
	err := s.write(ctx, forChanges, func(tx *bbolt.Tx) error {
		refusal = store.ErrNotFound
		t, ok := openTable(tx, kind)
		if !ok {
			return nil
		}
		old, found, err := t.live(key, s.clock())
		if err != nil || !found {
			return err
		}
		if refusal = nil; old.Version != version {
			refusal = store.ErrConflict
			return nil
		}
		return t.remove(key)
	})
	if err != nil {
		return err
	}
	if refusal == nil {
		s.changes.Changed(kind, key)
	}
	return refusal
}

// Claim takes up to limit due records, each until the end of hold.
func (s *Store) Claim(ctx context.Context, kind store.Kind, hold time.Duration, limit int) ([]store.Record, error) {
	var claimed []store.Record
	err := s.write(ctx, forChanges, func(tx *bbolt.Tx) error {
		claimed = nil
		t, ok := openTable(tx, kind)
		if !ok {
			return nil
		}
		now := s.clock()
		for len(claimed) < limit {
			// What is taken leaves the front of the index, so the next look
			// finds others; more than one look is needed where some expired.
			keys := earliest(t.due, now, limit-len(claimed))
			if len(keys) == 0 {
				return nil
			}
			for _, key := range keys {
				record, taken, err := t.claim(key, now, hold)
				if err != nil {
					return err
				}
				if taken {
					claimed = append(claimed, record)
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, record := range claimed {
		s.changes.Changed(kind, record.Key)
	}
	return claimed, nil
}

// NextDue is the earliest time at which something may be claimed; zero: never.
func (s *Store) NextDue(ctx context.Context, kind store.Kind) (due time.Time, err error) {
	err = s.read(ctx, func(tx *bbolt.Tx) error {
		t, ok := openTable(tx, kind)
		if !ok {
			return nil
		}
		now := s.clock()
		cursor := t.due.Cursor()
		for entry, _ := cursor.First(); entry != nil; entry, _ = cursor.Next() {
			record, found, err := t.live(string(entry[8:]), now)
			if err != nil {
				return err
			}
			if found {
				due = dueAt(record)
				return nil
			}
		}
		return nil
	})
	return due, err
}

// List returns records in the order of their keys, beginning behind after.
func (s *Store) List(ctx context.Context, kind store.Kind, after string, limit int) ([]store.Record, error) {
	var records []store.Record
	err := s.read(ctx, func(tx *bbolt.Tx) error {
		t, ok := openRecords(tx, kind)
		if !ok {
			return nil
		}
		now := s.clock()
		cursor := t.records.Cursor()
		// The least key behind another one is that key and a NUL.
		for key, encoded := cursor.Seek(append([]byte(after), 0)); key != nil && len(records) < limit; key, encoded = cursor.Next() {
			record, err := t.decode(key, encoded)
			if err != nil {
				return err
			}
			if !expired(record, now) {
				records = append(records, detach(record))
			}
		}
		return nil
	})
	return records, err
}

// Purge removes every expired record and counts them; writes do a little of
// it each, so this is for whoever wants the space at once.
func (s *Store) Purge(ctx context.Context) (purged int, err error) {
	err = s.write(ctx, forChanges, func(tx *bbolt.Tx) error {
		purged = 0
		return eachTable(tx, func(t *table) error {
			count, err := t.purge(s.clock(), t.expires.Stats().KeyN)
			purged += count
			return err
		})
	})
	return purged, err
}
