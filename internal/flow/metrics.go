package flow

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// pendingGrace is how long past its next poll a flow that this process saw
// pending is still counted: then another process has polled and counts it.
const pendingGrace = time.Second

// metrics is what an engine counts. status is "ok" or "error".
type metrics struct {
	started   *prometheus.CounterVec
	finished  *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	delivery  *prometheus.HistogramVec
	revoked   *prometheus.CounterVec
	lateness  prometheus.Histogram
	clock     func() time.Time
	mu        sync.Mutex
	pendingAt map[string]time.Time // user → next poll
}

func newMetrics(registry prometheus.Registerer, clock func() time.Time) *metrics {
	m := &metrics{
		clock:     clock,
		pendingAt: map[string]time.Time{},
		started: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ghscoped_flows_started_total", Help: "Flows started, by mode.",
		}, []string{"mode"}),
		finished: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ghscoped_flows_finished_total", Help: "Flows finished, by final state.",
		}, []string{"status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ghscoped_flow_duration_seconds", Help: "From the start of a flow to its end, by final state.",
			Buckets: []float64{5, 15, 30, 60, 120, 300, 600, 900, 1200},
		}, []string{"status"}),
		delivery: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ghscoped_delivery_duration_seconds", Help: "Time to put a credential into a server, by the way that worked.",
			Buckets: []float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"method", "status"}),
		revoked: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ghscoped_revocations_total", Help: "Attempts to revoke a token at GitHub.",
		}, []string{"status"}),
		lateness: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "ghscoped_flow_step_lateness_seconds", Help: "How much later than due a step began.",
			Buckets: []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 15, 60},
		}),
	}
	pending := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ghscoped_flows_pending", Help: "Flows waiting for an approval that this process polled last.",
	}, m.countPending)
	registry.MustRegister(m.started, m.finished, m.duration, m.delivery, m.revoked, m.lateness, pending)
	return m
}

// countStarted counts a flow that began.
func (m *metrics) countStarted(mode Mode) { m.started.WithLabelValues(string(mode)).Inc() }

// countFinished counts a flow at its final state, and how long it took.
func (m *metrics) countFinished(state State, took time.Duration) {
	m.finished.WithLabelValues(string(state)).Inc()
	m.duration.WithLabelValues(string(state)).Observe(took.Seconds())
}

// countDelivered counts an attempt to write a credential, by the method that
// worked; "none" where none did.
func (m *metrics) countDelivered(method, status string, took time.Duration) {
	m.delivery.WithLabelValues(method, status).Observe(took.Seconds())
}

// countRevoked counts an attempt to revoke a token at GitHub.
func (m *metrics) countRevoked(status string) { m.revoked.WithLabelValues(status).Inc() }

// stepBegan measures how much later than due a step began, and counts a pending
// flow for as long as its poll may take.
func (m *metrics) stepBegan(u *User, late time.Duration) {
	m.lateness.Observe(late.Seconds())
	if u.Flow != nil && u.Flow.State == Pending {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.pendingAt[u.Name] = m.clock().Add(Hold)
	}
}

// saved notes a user's record as it was stored just now.
func (m *metrics) saved(u *User) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if u.Flow != nil && u.Flow.State == Pending {
		m.pendingAt[u.Name] = u.Flow.Due
		return
	}
	delete(m.pendingAt, u.Name)
}

func (m *metrics) countPending() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, due := range m.pendingAt {
		if m.clock().After(due.Add(pendingGrace)) {
			delete(m.pendingAt, name)
		}
	}
	return float64(len(m.pendingAt))
}
