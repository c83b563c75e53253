// Package gitconfig puts one marked block of settings at the end of a git
// configuration file and takes it out again, so that the file is as it was,
// byte for byte.
//
// A change is made as git makes one: beside the file, under the lock that git
// takes too ("FILE.lock"), and then renamed. A link is followed to the file it
// names.
//
// Border: what the settings are is the caller's affair. The block that a
// delivery leaves (internal/deliver) has other marks and is never touched.
package gitconfig
