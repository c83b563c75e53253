package app

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ghscoped/ghscoped-service/internal/githubapi"
	"github.com/ghscoped/ghscoped-service/internal/hubapi"
)

// The clients of GitHub and of the Hub are in the user's program, too, which git
// starts for every question and which does not link Prometheus; so what they count
// is registered here.

// gitHubMetrics is a [githubapi.Metrics].
type gitHubMetrics struct {
	duration  *prometheus.HistogramVec
	slowDown  prometheus.Counter
	rateLimit *prometheus.GaugeVec
}

func newGitHubMetrics(registry prometheus.Registerer) githubapi.Metrics {
	m := &gitHubMetrics{
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

func (m *gitHubMetrics) Called(endpoint, status string, took time.Duration) {
	m.duration.WithLabelValues(endpoint, status).Observe(took.Seconds())
}

func (m *gitHubMetrics) SlowedDown() { m.slowDown.Inc() }

func (m *gitHubMetrics) Remaining(resource string, calls float64) {
	m.rateLimit.WithLabelValues(resource).Set(calls)
}

// newHubMetrics registers what a client of the Hub counts.
func newHubMetrics(registry prometheus.Registerer) hubapi.Called {
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "ghscoped_hub_request_duration_seconds",
		Help:    "Time until the Hub's answer began; status none: it did not.",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
	}, []string{"endpoint", "status"})
	registry.MustRegister(duration)
	return func(endpoint, status string, took time.Duration) {
		duration.WithLabelValues(endpoint, status).Observe(took.Seconds())
	}
}
