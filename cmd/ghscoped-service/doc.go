// Command ghscoped-service is the JupyterHub service "Connect GitHub".
//
//	ghscoped-service [serve]              runs the service
//	ghscoped-service check-config         reports every error of the settings
//	ghscoped-service healthcheck          asks the running service
//	ghscoped-service policy …             checks or explains a bot policy
//	ghscoped-service install FOLDER       copies the ghscoped command there
//	ghscoped-service doctor               checks everything it depends on
//	ghscoped-service create-app --hub URL registers the GitHub App
//	ghscoped-service keys …               makes and rotates sealing keys
//	ghscoped-service user end NAME        ends what is known of a user who is gone
//	ghscoped-service completion SHELL     completion for a shell
//
// Exit codes: 0 done (allowed), 2 the settings or the command line are wrong, 1
// anything else (refused). The service logs JSON lines on standard error and
// writes audit events, also JSON lines, on standard output.
//
// This package has only options, signals and exit codes; internal/app joins the
// parts.
package main
