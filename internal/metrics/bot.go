package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ghscoped/ghscoped-service/internal/bot"
)

// bots is a [bot.Metrics].
type bots struct{ issued *prometheus.CounterVec }

// Bot registers what the issuer of bot tokens counts.
func Bot(registry prometheus.Registerer) bot.Metrics {
	m := bots{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "ghscoped_bot_tokens_issued_total",
		Help: "Requests for bot tokens by what came of them.",
	}, []string{"status"})}
	registry.MustRegister(m.issued)
	return m
}

func (m bots) Requested(outcome string) { m.issued.WithLabelValues(outcome).Inc() }

// Policy registers whether a bot policy is what its file says.
func Policy(registry prometheus.Registerer, policy *bot.PolicyFile) {
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ghscoped_bot_policy_current",
		Help: "1: the policy in force is what its file says; 0: the file cannot be used, the last good one is in force.",
	}, func() float64 {
		if policy.Err() != nil {
			return 0
		}
		return 1
	}))
}
