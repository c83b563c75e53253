package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ghscoped/ghscoped-service/internal/github"
)

// gitHub is a [github.Metrics].
type gitHub struct {
	duration  *prometheus.HistogramVec
	slowDown  prometheus.Counter
	rateLimit *prometheus.GaugeVec
}

// GitHub registers what a client of GitHub counts.
func GitHub(registry prometheus.Registerer) github.Metrics {
	m := &gitHub{
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "ghscoped_github_request_duration_seconds",
			Help:    "Time until GitHub's answer began; status none: it did not.",
			Buckets: []float64{.05, .1, .2, .5, 1, 2, 5, 15},
		}, []string{"endpoint", "status"}),
		slowDown: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ghscoped_github_slow_down_total",
			Help: "Polls that GitHub answered with slow_down.",
		}),
		rateLimit: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "ghscoped_github_rate_limit_remaining",
			Help: "Calls left, as the latest answer said it.",
		}, []string{"resource"}),
	}
	registry.MustRegister(m.duration, m.slowDown, m.rateLimit)
	return m
}

func (m *gitHub) Called(endpoint, status string, took time.Duration) {
	m.duration.WithLabelValues(endpoint, status).Observe(took.Seconds())
}

func (m *gitHub) SlowedDown() { m.slowDown.Inc() }

func (m *gitHub) Remaining(resource string, calls float64) {
	m.rateLimit.WithLabelValues(resource).Set(calls)
}
