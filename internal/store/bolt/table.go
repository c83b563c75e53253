package bolt

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/ghscoped/ghscoped-service/internal/store"
)

// table is one kind within a transaction.
type table struct {
	kind                  store.Kind
	root                  *bbolt.Bucket
	records, due, expires *bbolt.Bucket
}

var (
	recordsBucket = []byte("records")
	dueBucket     = []byte("due")
	expiresBucket = []byte("expires")
)

// head is what goes before a value: version, due and expires, 8 bytes each.
//
// The due time there is the one of the index: of a record that is claimed, the
// end of the claim. Then the entry in the index, which otherwise has no value,
// has the record's own due time as its value. So records and index are as they
// always were, and a release before this one reads a claim as what it took for
// one: a record that was put off.
const head = 24

// openTable finds a kind; false where nothing of it was ever stored.
func openTable(tx *bbolt.Tx, kind store.Kind) (table, bool) {
	root := tx.Bucket([]byte(kind))
	if root == nil {
		return table{}, false
	}
	t := table{kind, root, root.Bucket(recordsBucket), root.Bucket(dueBucket), root.Bucket(expiresBucket)}
	return t, t.records != nil && t.due != nil && t.expires != nil
}

// openRecords is openTable for who only reads records: the indexes stay closed
// until a record that is due asks for one, which is half of what a look-up costs.
func openRecords(tx *bbolt.Tx, kind store.Kind) (table, bool) {
	root := tx.Bucket([]byte(kind))
	if root == nil {
		return table{}, false
	}
	t := table{kind: kind, root: root, records: root.Bucket(recordsBucket)}
	return t, t.records != nil
}

func makeTable(tx *bbolt.Tx, kind store.Kind) (table, error) {
	if t, ok := openTable(tx, kind); ok {
		return t, nil
	}
	root, err := tx.CreateBucketIfNotExists([]byte(kind))
	if err != nil {
		return table{}, err
	}
	for _, name := range [][]byte{recordsBucket, dueBucket, expiresBucket} {
		if _, err := root.CreateBucketIfNotExists(name); err != nil {
			return table{}, err
		}
	}
	t, _ := openTable(tx, kind)
	return t, nil
}

// get returns a record whether or not it has expired; its value lives as long
// as the transaction.
func (t *table) get(key string) (record store.Record, found bool, err error) {
	encoded := t.records.Get([]byte(key))
	if encoded == nil {
		return store.Record{}, false, nil
	}
	record, err = t.decode([]byte(key), encoded)
	return record, err == nil, err
}

// live is get without what has expired.
func (t *table) live(key string, now time.Time) (record store.Record, found bool, err error) {
	record, found, err = t.get(key)
	return record, found && !expired(record, now), err
}

// put writes a record with the next version, and returns that.
func (t *table) put(record store.Record) (uint64, error) {
	if err := t.remove(record.Key); err != nil {
		return 0, err
	}
	// One sequence for all records of a kind: no key sees a version twice.
	version, err := t.records.NextSequence()
	if err != nil {
		return 0, err
	}
	due, expires := uint64(store.Millis(record.Due)), uint64(store.Millis(record.Expires))
	var own []byte
	if claimed := uint64(store.Millis(record.Claimed)); claimed != 0 {
		own, due = binary.BigEndian.AppendUint64(nil, due), claimed
	}
	encoded := make([]byte, head, head+len(record.Value))
	binary.BigEndian.PutUint64(encoded[0:], version)
	binary.BigEndian.PutUint64(encoded[8:], due)
	binary.BigEndian.PutUint64(encoded[16:], expires)
	if err := t.records.Put([]byte(record.Key), append(encoded, record.Value...)); err != nil {
		return 0, err
	}
	if due != 0 {
		if err := t.due.Put(indexKey(due, record.Key), own); err != nil {
			return 0, err
		}
	}
	if expires != 0 {
		if err := t.expires.Put(indexKey(expires, record.Key), nil); err != nil {
			return 0, err
		}
	}
	return version, nil
}

// remove deletes a record, if there is one, and its places in the indexes.
func (t *table) remove(key string) error {
	old, found, err := t.get(key)
	if err != nil || !found {
		return err
	}
	if err := t.due.Delete(indexKey(uint64(store.Millis(dueAt(old))), key)); err != nil {
		return err
	}
	if err := t.expires.Delete(indexKey(uint64(store.Millis(old.Expires)), key)); err != nil {
		return err
	}
	return t.records.Delete([]byte(key))
}

// purge removes up to limit expired records and counts them.
func (t *table) purge(now time.Time, limit int) (int, error) {
	keys := earliest(t.expires, now, limit)
	for _, key := range keys {
		if err := t.remove(key); err != nil {
			return 0, err
		}
	}
	return len(keys), nil
}

// earliest returns the keys of an index up to now, in order.
func earliest(index *bbolt.Bucket, now time.Time, limit int) []string {
	var keys []string
	cursor := index.Cursor()
	for entry, _ := cursor.First(); entry != nil && len(keys) < limit; entry, _ = cursor.Next() {
		if int64(binary.BigEndian.Uint64(entry)) > now.UnixMilli() {
			break
		}
		keys = append(keys, string(entry[8:]))
	}
	return keys
}

func indexKey(ms uint64, key string) []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(key)), ms), key...)
}

func (t *table) decode(key, encoded []byte) (store.Record, error) {
	if len(encoded) < head {
		return store.Record{}, fmt.Errorf("%w: a %s record of %d bytes", ErrCorrupt, t.kind, len(encoded))
	}
	record := store.Record{
		Kind:    t.kind,
		Key:     string(key),
		Version: binary.BigEndian.Uint64(encoded[0:]),
		Due:     millis(encoded[8:]),
		Expires: millis(encoded[16:]),
		Value:   encoded[head:],
	}
	if own := t.ownDue(record); own != nil {
		record.Claimed, record.Due = record.Due, millis(own)
	}
	return record, nil
}

// millis reads a time of 8 bytes.
func millis(encoded []byte) time.Time {
	return store.FromMillis(int64(binary.BigEndian.Uint64(encoded)))
}

// detach makes a record outlive its transaction.
func detach(record store.Record) store.Record {
	record.Value = bytes.Clone(record.Value)
	return record
}

func expired(record store.Record, now time.Time) bool {
	return !record.Expires.IsZero() && !record.Expires.After(now)
}
