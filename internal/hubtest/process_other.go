//go:build !linux

package hubtest

import "syscall"

// endWithParent has no counterpart here: Stop ends the child.
func endWithParent(*syscall.SysProcAttr) {}

// killMarked cannot read other processes' environments here. The Hub ends its
// children itself when it is stopped in order.
func killMarked(string) error { return nil }
