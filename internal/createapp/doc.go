// Package createapp registers a GitHub App by a manifest ("Registering a GitHub
// App from a manifest" in GitHub's documentation): a form that the deployer's
// browser sends to GitHub, and a code that comes back.
//
// Border: it makes the manifest, shows the form and waits for the code. Trading
// the code for the App's secrets is internal/github's, keeping them the
// command's.
package createapp
