package main

import "github.com/spf13/cobra"

// newAlias is gh-scoped-creds, up to its version 4: login under another name.
// --git-credentials-path is an option of its older versions, where the
// deployer had set git up to read that file.
func newAlias(in invocation) *cobra.Command {
	var o loginOptions
	cmd := &cobra.Command{
		Use:               aliasName,
		Short:             "Log in with the options of gh-scoped-creds",
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	set := cmd.Flags()
	set.StringVar(&o.clientID, "client-id", "", "client `ID` of the GitHub App to connect with (default $GH_SCOPED_CREDS_CLIENT_ID)")
	set.StringVar(&o.appURL, "github-app-url", "", "`URL` where repositories are chosen for the App (default $GH_SCOPED_CREDS_APP_URL)")
	set.StringVar(&o.file, "git-credentials-path", "", "`FILE` to write for git's store helper, instead of setting git up")
	set.BoolVar(&o.json, "json", false, "print one JSON object a line, for programs")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if o.clientID == "" && clientID(in.getenv) == "" && !in.onAHub() {
			return &commandError{exit: exitFailed, code: "no_client_id",
				message: "--client-id must be specified or GH_SCOPED_CREDS_CLIENT_ID environment variable must be set",
				hint:    "It is the client ID of a GitHub App; ask the administrators of this machine."}
		}
		return in.login(cmd.Context(), o)
	}
	return cmd
}
