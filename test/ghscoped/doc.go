// Package ghscoped tests the command ghscoped from the outside: the real
// program, the real service beside a real JupyterHub, real git, and the
// simulator for GitHub. The scripts folder is a description of each command
// that can be run; the tests in Go are about what needs a real Jupyter server,
// a notebook, or a stopwatch.
package ghscoped
