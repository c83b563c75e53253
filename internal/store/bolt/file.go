package bolt

import (
	"fmt"
	"os"
	"runtime/debug"

	"go.etcd.io/bbolt"
)

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

// checkPages walks every page. The first error is enough.
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
