package bot

import "github.com/prometheus/client_golang/prometheus"

// newIssued counts requests for tokens by their outcome, as the audit names it.
func newIssued(registry prometheus.Registerer) *prometheus.CounterVec {
	issued := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "ghscoped_bot_tokens_issued_total",
		Help: "Requests for bot tokens by what came of them.",
	}, []string{"status"})
	registry.MustRegister(issued)
	return issued
}

// Measure registers whether the policy in force is what its file says.
func (f *PolicyFile) Measure(registry prometheus.Registerer) {
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ghscoped_bot_policy_current",
		Help: "1: the policy in force is what its file says; 0: the file cannot be used, or is empty or gone.",
	}, func() float64 {
		if f.Err() != nil {
			return 0
		}
		return 1
	}))
}
