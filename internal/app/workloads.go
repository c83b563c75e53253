package app

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/ghscoped/ghscoped-service/internal/config"
	"github.com/ghscoped/ghscoped-service/internal/store"
	"github.com/ghscoped/ghscoped-service/internal/workload"
)

// Where a pod finds the authority of its cluster, and the token of its own service
// account, without which a cluster does not say its keys (the ClusterRole
// system:service-account-issuer-discovery).
const (
	clusterCA    = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
	clusterToken = "/var/run/secrets/kubernetes.io/serviceaccount/token"
)

// joinWorkloads takes identity tokens where issuers are configured.
func (p *parts) joinWorkloads() error {
	cfg := p.cfg.Bot
	if len(cfg.Issuers) == 0 {
		return nil
	}
	var issuers []workload.Issuer
	for _, issuer := range cfg.Issuers {
		file := cfg.IssuersCAFile
		if _, err := os.Stat(clusterCA); err == nil && file == "" && issuer.Kind == workload.Kubernetes {
			file = clusterCA
		}
		roots, err := withRoots(file)
		if err != nil {
			return err
		}
		client := p.deps.Issuers(roots)
		if issuer.Kind == workload.Kubernetes {
			client.Transport = asPod{client.Transport}
		}
		issuers = append(issuers, workload.Issuer{Kind: issuer.Kind, Address: issuer.URL, HTTP: client})
	}
	p.workloads = workload.New(workload.Options{
		Issuers: issuers, Audience: p.cfg.Service.PublicURL, Once: store.NewOnce(p.backend),
		Clock: p.deps.Clock, Logger: p.deps.Logger,
	})
	return nil
}

// withRoots are the system's authorities and those of a file; nil: no file is named.
func withRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("certificates of the issuers: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	roots.AppendCertsFromPEM(text)
	return roots, nil
}

// asPod shows the cluster's API the token of the pod that this runs in, if it has one,
// and nobody else. The kubelet replaces it now and then.
type asPod struct{ next http.RoundTripper }

func (a asPod) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Hostname() != config.ClusterAPI {
		return a.next.RoundTrip(r)
	}
	if token, err := os.ReadFile(clusterToken); err == nil {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	return a.next.RoundTrip(r)
}
