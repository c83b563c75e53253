package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/store/bolt"
)

const storeUsage = `Usage: ghscoped-service store check [FILE]
       ghscoped-service store compact [FILE]

FILE is the store's file; without it, the one that GHSCOPED_STORE names, or
ghscoped.db. The service must not run: it holds the file. A Redis looks after
itself; whether it fits the service says 'ghscoped-service doctor'.

  check    reads the whole file, and says what is in it or what is wrong
  compact  rewrites it without its free space, and keeps its owner and mode

Exit codes: 0 done; 1 the file is damaged, held or not there; 2 the command line.
`

// storeFile looks after the file of a store that no service has open.
func storeFile(_ context.Context, in invocation) int {
	return in.report("store", storeUsage, invocation.storeFile)
}

func (in invocation) storeFile() (int, error) {
	set := quietFlags("store")
	if err := set.Parse(in.args); err != nil {
		return 0, err
	}
	work := map[string]func(io.Writer, string) error{"check": checkStore, "compact": compactStore}[set.Arg(0)]
	switch {
	case work == nil:
		return 0, fmt.Errorf("there is no command %q; see ghscoped-service store -help", set.Arg(0))
	case set.NArg() > 2:
		return 0, fmt.Errorf("there is no use for %q", set.Arg(2))
	}
	path, err := in.storePath(set.Arg(1))
	if err != nil {
		return 0, err
	}
	if err := work(in.stdout, path); err != nil {
		fmt.Fprintf(in.stderr, "ghscoped-service: %s\n", secret.Scrub(err.Error()))
		return exitFault, nil
	}
	return exitOK, nil
}

func (in invocation) storePath(named string) (string, error) {
	if named == "" {
		named = variable(in.environ, "GHSCOPED_STORE")
	}
	if named == "" {
		return "ghscoped.db", nil
	}
	if strings.Contains(named, "://") {
		return "", errors.New("a Redis has no file; see ghscoped-service doctor")
	}
	return strings.TrimPrefix(named, "bolt:"), nil
}

func checkStore(w io.Writer, path string) error {
	summary, err := bolt.Check(path)
	if err != nil {
		return err
	}
	var records []string
	for _, kind := range slices.Sorted(maps.Keys(summary.Records)) {
		records = append(records, fmt.Sprintf("%s %d", kind, summary.Records[kind]))
	}
	if records == nil {
		records = []string{"none"}
	}
	_, err = fmt.Fprintf(w, "%s is whole: %d bytes, of which %d are free; records: %s\n",
		path, summary.Size, summary.Free, strings.Join(records, ", "))
	return err
}

func compactStore(w io.Writer, path string) error {
	before, err := bolt.Check(path)
	if err != nil {
		return err
	}
	if err := bolt.Compact(path); err != nil {
		return err
	}
	after, err := bolt.Check(path)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s: %d bytes before, %d now\n", path, before.Size, after.Size)
	return err
}
