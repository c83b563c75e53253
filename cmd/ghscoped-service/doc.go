// Command ghscoped-service is the JupyterHub service "Connect GitHub".
//
//	ghscoped-service [serve] [settings]   runs the service
//	ghscoped-service check-config …       reports every fault of the settings
//	ghscoped-service healthcheck …        asks the running service
//	ghscoped-service version
//
// Exit codes: 0 done, 2 the settings or the command line are wrong, 1 anything
// else. The service logs JSON lines on standard error and writes audit events,
// also JSON lines, on standard output.
//
// Border: here are only flags, signals and exit codes; what is joined to what
// is in internal/app.
package main
