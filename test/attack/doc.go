// Package attack has the attacks that once got through, as tests: each does
// what an attacker did, against the real program, a real JupyterHub and, where
// one was needed, a real browser, and fails when the attack works again.
// docs/security.md names the test of each line of its tables.
package attack
