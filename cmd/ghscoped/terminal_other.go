//go:build !linux

package main

import "os"

// isTerminal reports whether a file is a terminal. Only Linux is told for sure;
// elsewhere the program is merely built.
func isTerminal(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
