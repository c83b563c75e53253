package bolt

import (
	"errors"
	"time"

	"go.etcd.io/bbolt"

	"github.com/ghscoped/ghscoped-service/internal/store"
)

// claim claims a record until the end of hold, or removes it if it has expired.
func (t *table) claim(key string, now time.Time, hold time.Duration) (record store.Record, taken bool, err error) {
	record, found, err := t.live(key, now)
	if err != nil || !found {
		return store.Record{}, false, errors.Join(err, t.remove(key))
	}
	record = detach(record)
	record.Claimed = store.FromMillis(store.Millis(now.Add(hold)))
	record.Version, err = t.put(record)
	return record, err == nil, err
}

// ownDue is the value of a record's entry in the index; nil: it is not claimed.
func (t *table) ownDue(record store.Record) []byte {
	if record.Due.IsZero() {
		return nil
	}
	if t.due == nil {
		t.due = t.root.Bucket(dueBucket)
	}
	own := t.due.Get(indexKey(uint64(store.Millis(record.Due)), record.Key))
	if len(own) != 8 {
		return nil
	}
	return own
}

// dueAt is where the index has a record.
func dueAt(record store.Record) time.Time {
	if !record.Claimed.IsZero() {
		return record.Claimed
	}
	return record.Due
}

// dropClaims takes the claims of dead holders from all records.
func (t *table) dropClaims() error {
	for _, key := range t.claimed() {
		record, found, err := t.get(key)
		if err != nil {
			return err
		}
		if !found {
			continue
		}
		record = detach(record)
		record.Claimed = time.Time{}
		if _, err := t.put(record); err != nil {
			return err
		}
	}
	return nil
}

// claimed names the records that have a claim.
func (t *table) claimed() (keys []string) {
	cursor := t.due.Cursor()
	for entry, own := cursor.First(); entry != nil; entry, own = cursor.Next() {
		if len(own) != 0 {
			keys = append(keys, string(entry[8:]))
		}
	}
	return keys
}

// dropClaims ends the claims of the process that had the file before. Where the
// disk has no space for that, they run out by themselves: it must not keep what
// can be read from being read.
func dropClaims(db *bbolt.DB) error {
	claims := 0
	err := db.View(func(tx *bbolt.Tx) error {
		return eachTable(tx, func(t *table) error {
			claims += len(t.claimed())
			return nil
		})
	})
	if err != nil || claims == 0 {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error { return eachTable(tx, (*table).dropClaims) })
	if err != nil && errors.Is(classify(err), ErrFull) {
		return nil
	}
	return err
}

func eachTable(tx *bbolt.Tx, do func(*table) error) error {
	return tx.ForEach(func(name []byte, _ *bbolt.Bucket) error {
		t, ok := openTable(tx, store.Kind(name))
		if !ok {
			return nil
		}
		return do(&t)
	})
}
