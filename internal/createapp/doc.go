// Package createapp registers a GitHub App by a manifest ("Registering a GitHub
// App from a manifest" in GitHub's documentation): a form that the deployer's
// browser sends to GitHub, and a code that comes back.
//
// This package does not exchange the code for the App's secrets (internal/githubapi
// does), and does not keep them (the command does).
package createapp
