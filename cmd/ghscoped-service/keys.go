package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/ghscoped/ghscoped-service/internal/store"
)

const keysUsage = `Usage: ghscoped-service keys new [FILE]
       ghscoped-service keys rotate FILE
       ghscoped-service keys add FILE
       ghscoped-service keys promote FILE

FILE holds the keys that seal the store, one a line: the first seals, all open.
Each command changes it in one step and keeps its owner and mode.

  new      makes a file of mode 0600 with one new key, never over an old one;
           without FILE, prints a key
  rotate   puts a new key in front: for a store that one process has. Restart
           it; in the background it seals every record anew
  add      puts a new key second, where it opens and does not seal yet: step one
           for replicas that share a Redis. Give all of them the file, restart
  promote  moves the second key to the front: step two. Give all of them the
           file, restart

The old key may go once the log says that all records are sealed anew.
Exit codes: 0 done; 2 the command line, or the file.
`

// keys changes key files.
func keys(_ context.Context, in invocation) int {
	return in.report("keys", keysUsage, invocation.keys)
}

func (in invocation) keys() (int, error) {
	set := quietFlags("keys")
	if err := set.Parse(in.args); err != nil {
		return 0, err
	}
	change := map[string]func(string) error{
		"new": store.CreateKeyFile, "rotate": store.Rotate, "add": store.AddKey, "promote": store.PromoteKey,
	}[set.Arg(0)]
	switch {
	case change == nil:
		return 0, fmt.Errorf("there is no command %q; see ghscoped-service keys -help", set.Arg(0))
	case set.NArg() > 2:
		return 0, fmt.Errorf("there is no use for %q", set.Arg(2))
	case set.NArg() == 1 && set.Arg(0) == "new":
		_, err := fmt.Fprintln(in.stdout, store.NewKey().Reveal())
		return exitOK, err
	case set.NArg() == 1:
		return 0, errors.New("no key file is named")
	}
	return exitOK, change(set.Arg(1))
}
