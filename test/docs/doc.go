// Package docs has only tests: every command and every configuration block of
// the documents is run or parsed by the program it is for, and what the
// documents repeat from the code is compared with it.
package docs
