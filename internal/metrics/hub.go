package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ghscoped/ghscoped-service/internal/hub"
)

// hubCalls is a [hub.Metrics].
type hubCalls struct{ duration *prometheus.HistogramVec }

// Hub registers what a client of the Hub counts.
func Hub(registry prometheus.Registerer) hub.Metrics {
	m := hubCalls{prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "ghscoped_hub_request_duration_seconds",
		Help:    "Time until the Hub's answer began; status none: it did not.",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
	}, []string{"endpoint", "status"})}
	registry.MustRegister(m.duration)
	return m
}

func (m hubCalls) Called(endpoint, status string, took time.Duration) {
	m.duration.WithLabelValues(endpoint, status).Observe(took.Seconds())
}
