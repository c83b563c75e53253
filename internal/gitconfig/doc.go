// Package gitconfig puts one marked block of settings at the end of a git
// configuration file and takes it out again, so that the file is as it was,
// byte for byte.
//
// A change is made as git makes one: beside the file, under the lock that git
// takes too ("FILE.lock"), and then renamed. A link is followed to the file it
// names. What is no file is refused.
//
// This package does not choose the settings; its caller does. It does not touch the
// block that a delivery leaves (internal/deliver), which has other marks.
package gitconfig
