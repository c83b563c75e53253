// Package client calls the service's API (internal/server/openapi.yaml) as a
// program in a user's Jupyter server does, with the server's own Hub token, or as a
// workload elsewhere does, with its OIDC token.
//
// This package knows the contract, not the service, and imports nothing of it. It
// decides nothing, and keeps nothing but the difference between the service's
// clock and this machine's.
package client
