// Package appkey signs as the GitHub App: it reads the App's private key from
// its file and makes the JSON Web Tokens by which GitHub knows the App.
//
// This package does not call GitHub. It is apart from internal/githubapi because the
// program in the users' servers, which never is the App, links that too.
package appkey
