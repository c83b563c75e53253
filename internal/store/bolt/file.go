package bolt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"

	"go.etcd.io/bbolt"

	"github.com/ghscoped/ghscoped-service/internal/store"
)

// compactStep is how many bytes compaction copies in one transaction.
const compactStep = 4 << 20

// Summary is what Check found in a sound file.
type Summary struct {
	// Size of the file, and how much of it is free for new records; in bytes.
	Size, Free int64
	// Records of each kind, expired ones included.
	Records map[store.Kind]int
}

// Check reads a whole store file that no process holds; errors are as those of
// [Open]. A file that does not exist is an error.
func Check(path string) (summary Summary, err error) {
	db, err := openExisting(path)
	if err != nil {
		return Summary{}, err
	}
	defer func() { err = errors.Join(err, explain(path, db.Close())) }()
	if err := checkPages(db); err != nil {
		return Summary{}, explain(path, err)
	}
	summary.Records = map[store.Kind]int{}
	err = db.View(func(tx *bbolt.Tx) error {
		summary.Size, summary.Free = tx.Size(), free(tx)
		return eachTable(tx, func(t *table) error {
			summary.Records[t.kind] = t.records.Stats().KeyN
			return t.records.ForEach(func(key, encoded []byte) error {
				_, err := t.decode(key, encoded)
				return err
			})
		})
	})
	return summary, explain(path, err)
}

// Compact rewrites a store file that no process holds without its free space.
func Compact(path string) error {
	db, err := openExisting(path)
	if err != nil {
		return err
	}
	return explain(path, errors.Join(compact(db), db.Close()))
}

func openExisting(path string) (*bbolt.DB, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, explain(path, err)
	}
	return openWhole(path)
}

// check looks for damage before anything is built on a file: always whether
// the file is as long as it says, and every page where that is quick.
func check(db *bbolt.DB) error {
	info, err := os.Stat(db.Path())
	if err != nil {
		return err
	}
	err = db.View(func(tx *bbolt.Tx) error {
		if tx.Size() > info.Size() {
			return fmt.Errorf("%w: %d of %d bytes are there", ErrCorrupt, info.Size(), tx.Size())
		}
		return nil
	})
	if err != nil || info.Size() > checkLimit {
		return err
	}
	return checkPages(db)
}

// checkPages walks every page. The first fault is enough.
func checkPages(db *bbolt.DB) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%w: %v", ErrCorrupt, cause)
		}
	}()
	return db.View(func(tx *bbolt.Tx) error {
		var first error
		for fault := range tx.Check() { // to the end: it runs in a goroutine of its own
			if first == nil {
				first = fmt.Errorf("%w: %w", ErrCorrupt, fault)
			}
		}
		return first
	})
}

func wasteful(db *bbolt.DB) (waste bool) {
	_ = db.View(func(tx *bbolt.Tx) error {
		waste = tx.Size() > compactSize && free(tx) > tx.Size()/2
		return nil
	})
	return waste
}

// free is the space of a file that holds nothing, in bytes: what no page in
// use accounts for.
func free(tx *bbolt.Tx) int64 {
	pageSize := tx.DB().Info().PageSize
	used := int64(0)
	_ = tx.ForEach(func(_ []byte, kind *bbolt.Bucket) error {
		stats := kind.Stats()
		used += int64(stats.BranchPageN+stats.BranchOverflowN+stats.LeafPageN+stats.LeafOverflowN) * int64(pageSize)
		return nil
	})
	return max(tx.Size()-used, 0)
}

// compact copies what db holds into a new file and gives that the old one's
// name, while db still holds the lock. A process that waits for the lock sees
// in openWhole that its file has lost its name.
func compact(db *bbolt.DB) error {
	path := db.Path()
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	if err := temporary.Close(); err != nil {
		return err
	}
	if err := copyInto(temporary.Name(), db, info); err != nil {
		return err
	}
	if err := os.Rename(temporary.Name(), path); err != nil {
		return err
	}
	directory, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}

func copyInto(path string, db *bbolt.DB, like os.FileInfo) error {
	fresh, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		return err
	}
	err = bbolt.Compact(fresh, db, compactStep)
	if err == nil {
		err = fresh.Sync()
	}
	return errors.Join(err, fresh.Close(), keepOwner(path, like))
}
