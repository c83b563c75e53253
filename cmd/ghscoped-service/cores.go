package main

import "syscall"

// noCoreDumps: what is in memory (tokens, the App's private key, the sealing
// keys) is not to be written to a disk when the program crashes.
func noCoreDumps() error {
	return syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
}
