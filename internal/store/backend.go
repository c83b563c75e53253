package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Kind is a family of records; part of a record's identity. It is a short word
// of lower-case letters.
type Kind string

// MaxKey is the length of the longest key, in bytes.
const MaxKey = 4096

// Record is what a backend keeps. Value is sealed by the layer above. Times
// are kept to the millisecond, rounded up (see [Millis]).
type Record struct {
	Kind Kind
	// Key is any bytes, at least one and at most MaxKey of them.
	Key string
	// Version names this state of the record. Each write gives a higher one
	// than the key ever had, also across a deletion; 0 in a Put means "must not
	// exist". It is the fencing number of a claim: a write that names an older
	// version is refused, so a holder that was paused and overtaken can do no
	// harm.
	Version uint64
	// Due is when the record wants to be claimed; the zero time: never.
	Due time.Time
	// Claimed is until when somebody has claimed the record; the zero time:
	// nobody has. While it is set the record is due at Claimed instead of Due, and
	// so a claim that has run out is one that anybody may take over.
	Claimed time.Time
	// Expires is when the record ceases to exist; the zero time: never.
	Expires time.Time
	Value   []byte
}

// Validate reports what no backend takes: a kind or a key that cannot be.
func (r Record) Validate() error {
	switch {
	case r.Kind == "":
		return errors.New("a record without a kind")
	case r.Key == "" || len(r.Key) > MaxKey:
		return fmt.Errorf("a key has 1 to %d bytes, not %d", MaxKey, len(r.Key))
	}
	return nil
}

// Millis is a time as backends keep it: Unix milliseconds, rounded up, so that
// nothing is due a moment before it was planned; 0 for the zero time.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Add(time.Millisecond - time.Nanosecond).UnixMilli()
}

// FromMillis is the reverse of [Millis].
func FromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

var (
	// ErrNotFound: no such record, or it has expired.
	ErrNotFound = errors.New("no such record")
	// ErrConflict: the stored version is another than the one named.
	ErrConflict = errors.New("the record was changed by another writer")
	// ErrUnavailable: the store cannot be reached or cannot write now; the same
	// call may work later.
	ErrUnavailable = errors.New("the store is unavailable")
	// ErrFull: there is no room for a new record. What is there can still be
	// changed and deleted. It comes with ErrUnavailable.
	ErrFull = errors.New("there is no room for new records")
)

// Backend keeps records. Every method is safe for concurrent use, and every
// write is on disk (or with the Redis server) when it returns. "Now" is the
// clock the backend was built with. A context that has ended stops a call
// before it begins; a write that fails otherwise than with the errors above may
// or may not have happened, which its caller learns by reading.
type Backend interface {
	// Get returns a record, or ErrNotFound.
	Get(ctx context.Context, kind Kind, key string) (Record, error)
	// Put writes a record if the stored version is still record.Version (0:
	// there is none), and returns the new version; otherwise ErrConflict.
	Put(ctx context.Context, record Record) (uint64, error)
	// Delete removes a record if the stored version is still version; deleting
	// what is not there is ErrNotFound.
	Delete(ctx context.Context, kind Kind, key string, version uint64) error
	// Claim returns up to limit records of a kind that are due, earliest first,
	// as one atomic step that also sets Claimed of each to the end of hold and
	// gives it a new version; Due stays as it was. What it returns is the new
	// state. Two callers never claim the same record within hold, whatever is
	// written meanwhile by those who keep Claimed. The holder ends its claim by a
	// Put without it; a holder that is dead for sure loses it at once.
	Claim(ctx context.Context, kind Kind, hold time.Duration, limit int) ([]Record, error)
	// NextDue is the earliest time at which Claim may find something; the zero
	// time: never, as things are.
	NextDue(ctx context.Context, kind Kind) (time.Time, error)
	// List returns records of a kind in the order of their keys, beginning
	// behind the key after, at most limit of them.
	List(ctx context.Context, kind Kind, after string, limit int) ([]Record, error)
	// Watch reports changes of the record of a key, or with the key "" of all
	// records of the kind, by whichever process. It sends the keys that were
	// written or deleted since the last were received, so that a slow reader loses
	// none. Among them, "" says that any record may have changed: changes could
	// not be heard of for a while. What expires is not reported. The channel is
	// closed when ctx ends, and when the backend is closed. While the backend is
	// unavailable a watch can begin, and reports "" afterwards.
	Watch(ctx context.Context, kind Kind, key string) <-chan KeySet
	// Ping reports whether the store can be written to now.
	Ping(ctx context.Context) error
	Close() error
}
