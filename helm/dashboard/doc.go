// Command dashboard prints the Grafana dashboard of the service as JSON:
//
//	go run ./helm/dashboard > helm/ghscoped-service/files/dashboard.json
//
// A test keeps that file in step with this program, and another runs each query
// on a real Prometheus.
//
// It knows names of metrics and where panels go, and nothing of the service.
package main
