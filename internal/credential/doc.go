// Package credential is git's credential protocol as a helper speaks it: it
// reads what git asks and writes what git gets (git-credential(1),
// gitcredentials(7)).
//
// Lines are "key=value", ended by a newline; an empty line or the end of the
// input ends the question. There is no quoting, so a value that holds a line
// break could smuggle in another attribute: anything with CR, LF or NUL is
// refused, in both directions. Git itself does the same since CVE-2024-52006
// (credential.protectProtocol).
//
// This package does not decide where a credential comes from and who may have it: the
// caller does. It opens no file and makes no call.
package credential
