package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ghscoped/ghscoped-service/internal/store"
)

// newKeys makes and changes key files.
func newKeys(in invocation) *cobra.Command {
	keys := asGroup(&cobra.Command{
		Use:   "keys",
		Short: "Make and rotate the keys that seal the store",
		Long: `A key file holds the keys that seal the store, one a line: the first seals, all
open. A change is made in one step and keeps the file's owner and mode.`,
	})
	newKey := &cobra.Command{
		Use:   "new [FILE]",
		Short: "Make a key file, or print a key",
		Long: `Makes a file of mode 0600 with one new key, never over an old one; without FILE
it prints a key.`,
		Args: atMost(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return store.CreateKeyFile(args[0])
			}
			_, err := fmt.Fprintln(in.stdout, store.NewKey().Reveal())
			return err
		},
	}
	rotate := &cobra.Command{
		Use:   "rotate FILE",
		Short: "Put a new key in front, for a store that one process has",
		Long: `Puts a new key in front, for a store that one process has. Restart it: in the
background it seals every record again, and the log says when the old key may
be removed. Replicas that share a Redis need two steps, by hand: see "Rotate
the sealing keys" in docs/operations.md.`,
		Args: atMost(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("name the key file: keys rotate FILE")
			}
			return store.Rotate(args[0])
		},
	}
	const byHand = ": put the line that 'ghscoped-service keys new' prints "
	keys.AddCommand(newKey, rotate,
		removed("add", "the command keys add was removed"+byHand+"second in the file (docs/operations.md)"),
		removed("promote", "the command keys promote was removed: move the second key of the file to the first line (docs/operations.md)"))
	return keys
}
