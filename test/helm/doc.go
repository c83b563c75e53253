// Package helm tests the chart with the real programs: helm renders, lints and
// refuses, kubeconform and a real kube-apiserver judge what it rendered. It
// also makes the chart's files that come from one source (see
// helm/values.schema.yaml): go test ./test/helm -run Made -update.
//
// This package does not test what the service does with its settings, only whether it
// accepts what the chart gives it.
package helm
