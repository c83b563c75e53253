package bolt

import (
	"errors"
	"os"

	"go.etcd.io/bbolt"

	"github.com/ghscoped/ghscoped-service/internal/store"
)

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

func openExisting(path string) (*bbolt.DB, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, explain(path, err)
	}
	return openWhole(path)
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
