// Package appkey signs as the GitHub App: it reads the App's private key from
// its file and makes the JSON Web Tokens by which GitHub knows the App.
//
// Border: it calls nobody. It is apart from internal/github because the
// program in the users' servers, which never is the App, links that too.
package appkey
