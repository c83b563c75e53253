package main

import (
	"os"
	"syscall"
	"unsafe"
)

// isTerminal reports whether a file is a terminal.
func isTerminal(file *os.File) bool {
	var settings syscall.Termios
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, file.Fd(), syscall.TCGETS, uintptr(unsafe.Pointer(&settings)))
	return errno == 0
}
