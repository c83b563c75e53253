// Package check is the report of both programs' doctors: what each check found
// and how to fix it, as lines for people and as one JSON object for programs.
//
// This package makes no checks. The service's are in internal/doctor, those of
// a user's server in cmd/ghscoped, which must link nothing of the service's.
package check
