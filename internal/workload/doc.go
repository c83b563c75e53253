// Package workload tells which workload shows an identity token: a JWT that its
// platform gave it (OpenID Connect Core 1.0, 2), such as GitHub Actions to a job or
// a Kubernetes cluster to a pod.
//
// A [Verifier] accepts tokens of the configured issuers, for one audience, within
// their times, signed with keys that it reads from the issuer's discovery document
// and follows when they change, and most of them once only. What a workload may do
// is for others to decide.
package workload
