// Package githubsim is a GitHub that runs on loopback: the device and web
// flows, the pages a person sees, the REST calls that a GitHub App makes, the one
// mutation of GraphQL that makes signed commits, git over HTTP by git's own
// http-backend, and Git LFS. It is strict where GitHub is
// (intervals, expiry, single use, PKCE, the times of a JWT) and misbehaves on
// demand. It imports nothing of this module, so that a mistake in the product
// is not repeated here, and it keeps everything in memory and one temporary
// folder, which Close removes.
//
// A test makes a Server with New and drives it by its methods; a demo runs
// cmd/githubsim and drives it over the management port, which has the same as
// JSON (admin.go). The management port hands out tokens in clear and must not
// be reachable by anybody else.
//
// # Addresses
//
// Pages, OAuth and git answer at URL(), the API at URL()/api/v3 as on GitHub
// Enterprise Server, and at the root of a second address if Options.APIListen
// is set; GraphQL at URL()/api/graphql, or at /graphql of that address.
//
// # Names for browser tests
//
// Elements keep these ids. Signing in is choosing a name.
//
//	/login                          form #signin-form, one button #signin-LOGIN for each person
//	/login/device                   #user-code (name user_code, never prefilled), #continue
//	/login/device/confirmation      #app-name, #login, #permissions, #authorize, #cancel; then #device-done or #device-cancelled
//	/login/oauth/authorize          the same buttons, and #redirect-uri
//	/apps/SLUG                      #install
//	/apps/SLUG/installations/new    #accounts, one link #account-LOGIN for each; #request-ORG, then #asked-ORG, where an owner has to install it
//	/orgs/ORG/sso                   #sign-on; then #signed-on
//	…/installations/new/permissions #install-form: #select-all, #select-some, check boxes #repo-ID with data-repo=OWNER/NAME, #save
//	/settings/installations         #installations
//	/settings/installations/ID      #installation-form as above, #saved after it; #danger-form: #suspend, #unsuspend, #uninstall; #suspended
//	/settings/apps/authorizations   #grants, #revoke-SLUG
//	/settings/apps/new              takes a manifest; #name, #create
//	/OWNER/NAME                     #clone-url, #commits, #files
//	everywhere                      #signed-in-as, #logout, #error
//
// An organisation's installation is at /organizations/ORG/settings/installations/ID.
//
// # What is assumed
//
// Not documented by GitHub, and decided here to be the harder case for a
// client: a revoked access token leaves its refresh token alive on
// /credentials/revoke; a token made by …/token/scoped outlives the wide one it
// was made of, and counts among the ten of a person; a wrong PKCE verifier spends the code; a poll that a
// fault answered still counts as a poll; a token never reaches an organisation
// whose SAML session began after it was made, nor does one that it is refreshed
// to, and the installation there is listed nevertheless, without repositories. The first poll after a code was issued
// is never too early, but DevicePolls.FirstAfter tells when it came.
// Git LFS takes uploads with a permit of their own only, as storage elsewhere
// does, and offers an object for download when it was verified; it knows no
// locks. createCommitOnBranch makes an ordinary file of whatever stood at a path, and
// takes requests of 52 MiB; only its commits are verified, and a branch for which
// signatures are required takes no others. Approve does not count against the 50 code entries an hour, the page does.
package githubsim
