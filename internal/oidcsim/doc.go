// Package oidcsim is an issuer of workload identity tokens that runs on loopback:
// that of GitHub Actions, with the endpoint where a job asks for its token, and that
// of a Kubernetes cluster, whose tokens a pod finds in a file. It serves the
// discovery document and the keys, and signs (RS256) what a test asks for, right or
// wrong: another algorithm, another key, any claims.
//
// It imports nothing of this module and no JWT library, so that a mistake in the
// product is not repeated here. It does not check what a job may ask for: whoever has
// the job's request token gets a token with the claims of that job.
//
// # What it is like
//
// The claims and their forms are those that GitHub documents in "OpenID Connect
// reference", of API server tokens those of Kubernetes' "Managing Service Accounts".
// A token of Actions is valid from 10 minutes before it was issued to 5 minutes
// after; one of Kubernetes for an hour.
package oidcsim
