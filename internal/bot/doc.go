// Package bot gives Hub services, jobs and groups installation tokens of the
// GitHub App, for named repositories and permissions, under a policy that
// anyone can read.
//
// A [Policy] is one YAML file of rules ([ParsePolicy], policy.schema.json);
// what no rule allows is refused. [PolicyFile] keeps the last good one while
// the service runs. Where the deployment wants it, the owner of each repository
// has the last word in a [RepositoryFile] that can only narrow. [Issuer] puts
// it together: it decides, mints, compares what GitHub answered with what was
// asked, remembers the token so that it can be revoked, writes the audit, and
// only then gives the token away.
//
// This package declares the interfaces it needs ([GitHub], [Store], [Auditor],
// [Metrics]) and imports none of the packages that satisfy them. Who a caller is
// has been found out before it is asked; routes and commands live elsewhere.
package bot
