package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bberrors "go.etcd.io/bbolt/errors"

	"github.com/ghscoped/ghscoped-service/internal/store"
)

// What can be wrong with the file, each with another remedy.
var (
	// ErrHeld: another process has the file open.
	ErrHeld = errors.New("another process holds it")
	// ErrCorrupt: the content is not that of a whole store.
	ErrCorrupt = errors.New("it is damaged; restore it from a backup, or move it away to start empty")
	// ErrFull: no space, or a quota or a size limit reached.
	ErrFull = errors.New("the disk is full")
	// ErrPermission: this user may not read and write the file.
	ErrPermission = errors.New("no permission to read and write it")
)

const (
	// openLimit is how long Open waits for another process to let go.
	openLimit = 5 * time.Second
	// batchDelay is how long a write waits for others to share its fsync. It
	// bounds the latency of a lone write, and costs throughput nothing.
	batchDelay = time.Millisecond
	// checkLimit is the size in bytes of the largest file that Open checks as a
	// whole; more would take longer than a start should.
	checkLimit = 1 << 30
)

// Store is a [store.Backend] in a file.
type Store struct {
	db      *bbolt.DB
	path    string
	clock   func() time.Time
	changes store.Notifier

	// full: the file cannot grow. left is how many parts of the reserve there are.
	full atomic.Bool
	left atomic.Int32
	// reserve guards changes of the reserve, and tried: when it was last tried to
	// make it whole.
	reserve sync.Mutex
	tried   time.Time
}

var _ store.Backend = (*Store)(nil)

// Open opens the store file at path, and makes it, with mode 0600, where there
// is none. Claims that it finds are dropped: the lock on the file says that
// whoever held them is dead. Errors name the file and wrap [ErrHeld], [ErrCorrupt], [ErrFull] or
// [ErrPermission] where one of them is the cause.
func Open(path string, clock func() time.Time) (*Store, error) {
	db, err := openWhole(path)
	if err != nil {
		return nil, err
	}
	if err := dropClaims(db); err != nil {
		return nil, errors.Join(explain(path, err), db.Close())
	}
	s := &Store{db: db, path: path, clock: clock}
	if err := s.restore(); err != nil {
		return nil, errors.Join(explain(path, err), s.Close())
	}
	return s, nil
}

// openWhole opens a file and makes sure that nothing is missing in it.
func openWhole(path string) (*bbolt.DB, error) {
	db, err := openFile(path)
	if err == nil {
		if err = check(db); err != nil {
			err = errors.Join(err, db.Close())
		}
	}
	if err != nil {
		return nil, explain(path, err)
	}
	return db, nil
}

// openFile opens path. A damaged file makes bbolt panic, or touch memory behind
// the end of the file.
func openFile(path string) (db *bbolt.DB, err error) {
	var file *os.File
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if cause := recover(); cause != nil {
			// bbolt cannot be told to unmap the file, and a mapped file keeps
			// its lock when it is closed.
			_ = syscall.Flock(int(file.Fd()), syscall.LOCK_UN)
			_ = file.Close()
			err = fmt.Errorf("%w: %v", ErrCorrupt, cause)
		}
	}()
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:      openLimit,
		FreelistType: bbolt.FreelistMapType,
		NoStatistics: true,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			opened, err := os.OpenFile(name, flag, mode)
			file = opened
			return opened, err
		},
	})
	if err != nil {
		return nil, err
	}
	db.MaxBatchDelay = batchDelay
	return db, nil
}

// explain names the file, and the cause where it is known.
func explain(path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("store file %s: %w", path, classify(err))
}

func classify(err error) error {
	known := func(cause error) error {
		if errors.Is(err, cause) {
			return err
		}
		return fmt.Errorf("%w: %w", cause, err)
	}
	switch {
	case errors.Is(err, bberrors.ErrTimeout):
		return known(ErrHeld)
	case errors.Is(err, bberrors.ErrInvalid), errors.Is(err, bberrors.ErrVersionMismatch),
		errors.Is(err, bberrors.ErrChecksum), errors.Is(err, bberrors.ErrInvalidMapping):
		return known(ErrCorrupt)
	case is(err, syscall.ENOSPC), is(err, syscall.EDQUOT), is(err, syscall.EFBIG):
		return known(ErrFull)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return known(ErrPermission)
	}
	return err
}

func diskFull(err error) bool { return err != nil && errors.Is(classify(err), ErrFull) }

// is looks for a number in the text too, as bbolt does not wrap the errors it
// meets when it lets the file grow.
func is(err error, number syscall.Errno) bool {
	return errors.Is(err, number) || strings.Contains(err.Error(), number.Error())
}

// unavailable is what an operation answers when the file fails it.
func (s *Store) unavailable(err error) error {
	if err == nil {
		return nil
	}
	if explained := explain(s.path, err); !errors.Is(explained, ErrFull) {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, explained)
	}
	return fmt.Errorf("%w: %w: %w", store.ErrUnavailable, store.ErrFull, explain(s.path, err))
}

// Ping makes sure that the file can be written to, by writing to it.
func (s *Store) Ping(ctx context.Context) error {
	return s.write(ctx, forChanges, func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists([]byte("ping"))
		return err
	})
}

// Close ends every watch and lets go of the file.
func (s *Store) Close() error {
	s.changes.Close()
	return explain(s.path, s.db.Close())
}

// Watch reports the changes made through this Store: there can be no other.
func (s *Store) Watch(ctx context.Context, kind store.Kind, key string) <-chan store.KeySet {
	return s.changes.Watch(ctx, kind, key)
}

// write runs fn in a transaction that is shared with other writers; fn may run
// more than once. An error of fn undoes the work of all who share it, so what
// a caller did wrong (a conflict) is no error here. Where the file cannot grow, the
// reserve is used up to the part that has to be left.
func (s *Store) write(ctx context.Context, leave int, fn func(*bbolt.Tx) error) error {
	if s.refuses(leave) && s.mayHaveRoom() {
		if err := s.restore(); err != nil {
			return s.unavailable(err)
		}
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if s.refuses(leave) {
			return s.unavailable(ErrFull)
		}
		err := s.db.Batch(fn)
		if !diskFull(err) {
			return s.unavailable(err)
		}
		s.full.Store(true)
		if int(s.left.Load()) <= leave {
			return s.unavailable(err)
		}
		if err := s.release(); err != nil {
			return s.unavailable(err)
		}
	}
}

func (s *Store) read(ctx context.Context, fn func(*bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.unavailable(s.db.View(fn))
}
