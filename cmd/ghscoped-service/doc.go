// Command ghscoped-service is the JupyterHub service "Connect GitHub".
//
//	ghscoped-service [serve] [settings]   runs the service
//	ghscoped-service check-config …       reports every fault of the settings
//	ghscoped-service healthcheck …        asks the running service
//	ghscoped-service policy …             checks or explains a bot policy
//	ghscoped-service audit …              finds lines of the audit
//	ghscoped-service install FOLDER       copies the ghscoped command there
//	ghscoped-service doctor …             checks everything it depends on
//	ghscoped-service create-app …         registers the GitHub App
//	ghscoped-service keys …               makes and rotates sealing keys
//	ghscoped-service user end NAME        ends what is known of a user who is gone
//	ghscoped-service store …              checks and compacts the store's file
//	ghscoped-service version
//
// Exit codes: 0 done (allowed, found), 2 the settings or the command line are wrong, 1 anything
// else (refused, nothing found). The service logs JSON lines on standard error and writes audit events,
// also JSON lines, on standard output.
//
// Border: here are only flags, signals and exit codes; what is joined to what
// is in internal/app.
package main
