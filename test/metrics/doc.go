// Package metrics tests what operators see: the documented table of metrics is
// that of the code, a real Prometheus scrapes a service at work, its rules do
// what they say, and every query of the dashboard has an answer.
//
//	go test ./test/metrics -run Documented -update   writes docs/metrics.md
package metrics
