package github

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	duration  *prometheus.HistogramVec
	slowDown  prometheus.Counter
	rateLimit *prometheus.GaugeVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
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
	reg.MustRegister(m.duration, m.slowDown, m.rateLimit)
	return m
}

func (m *metrics) observe(endpoint, status string, d time.Duration) {
	m.duration.WithLabelValues(endpoint, status).Observe(d.Seconds())
}

func (m *metrics) remaining(h http.Header) {
	left, err := strconv.ParseFloat(h.Get("X-RateLimit-Remaining"), 64)
	if err != nil {
		return
	}
	resource := h.Get("X-RateLimit-Resource")
	if resource != "core" {
		resource = "other" // a label's values are ours to choose
	}
	m.rateLimit.WithLabelValues(resource).Set(left)
}
