// Package doctor has only tests: 'ghscoped-service doctor', as a program, beside
// a real JupyterHub and a running service, before and after something is broken.
package doctor
