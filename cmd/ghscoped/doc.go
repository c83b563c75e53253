// Command ghscoped connects the Jupyter server it runs in to GitHub, and is
// git's credential helper there. docs/ghscoped.md describes every command.
//
// The same program answers to three names: ghscoped; git-credential-ghscoped,
// as git calls a helper; and gh-scoped-creds, with the options of the program
// of that name. Each is also a subcommand.
//
// This package has the commands, words for people and exit codes. The service's
// API is internal/client, git's protocol internal/credential, git's configuration
// internal/gitconfig, the doctor's report internal/check; without a service, the
// device flow is internal/github's and the files are internal/deliver's, the same
// as the service uses.
package main
