package store

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// observed is a backend that is measured.
type observed struct {
	Backend
	duration *prometheus.HistogramVec
	up       prometheus.Gauge
	full     prometheus.Gauge
}

// Observed measures a backend: ghscoped_store_operation_duration_seconds, by
// operation and by how it ended, ghscoped_store_up, 0 after an operation
// found the store unavailable and 1 after any that did not, and
// ghscoped_store_full, 1 after a new record found no room and 0 after one that did.
func Observed(backend Backend, reg prometheus.Registerer) Backend {
	o := observed{
		Backend: backend,
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "ghscoped_store_operation_duration_seconds",
			Help:    "How long the operations of the store took.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"op", "status"}),
		up: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "ghscoped_store_up",
			Help: "Whether the last operation found the store available.",
		}),
		full: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "ghscoped_store_full",
			Help: "Whether the store had no room for the last new record. What is under way continues, and nothing new begins.",
		}),
	}
	reg.MustRegister(o.duration, o.up, o.full)
	return o
}

// measure is deferred with the time at which the operation began.
func (o observed) measure(op string, start time.Time, err *error) {
	status := "ok"
	switch {
	case *err == nil:
	case errors.Is(*err, ErrNotFound):
		status = "not_found"
	case errors.Is(*err, ErrConflict):
		status = "conflict"
	case errors.Is(*err, ErrFull):
		status = "full"
	case errors.Is(*err, ErrUnavailable):
		status = "unavailable"
	case errors.Is(*err, context.Canceled), errors.Is(*err, context.DeadlineExceeded):
		status = "cancelled"
	default:
		status = "error"
	}
	o.duration.WithLabelValues(op, status).Observe(time.Since(start).Seconds())
	switch status {
	case "unavailable":
		o.up.Set(0)
	case "ok", "not_found", "conflict", "full":
		o.up.Set(1)
	}
}

func (o observed) Get(ctx context.Context, kind Kind, key string) (record Record, err error) {
	defer o.measure("get", time.Now(), &err)
	return o.Backend.Get(ctx, kind, key)
}

func (o observed) Put(ctx context.Context, record Record) (version uint64, err error) {
	defer o.measure("put", time.Now(), &err)
	version, err = o.Backend.Put(ctx, record)
	switch {
	case errors.Is(err, ErrFull):
		o.full.Set(1)
	case err == nil && record.Version == 0 && record.Kind != KindSession: // which a full store takes, too
		o.full.Set(0)
	}
	return version, err
}

func (o observed) Delete(ctx context.Context, kind Kind, key string, version uint64) (err error) {
	defer o.measure("delete", time.Now(), &err)
	return o.Backend.Delete(ctx, kind, key, version)
}

func (o observed) Claim(ctx context.Context, kind Kind, hold time.Duration, limit int) (records []Record, err error) {
	defer o.measure("claim", time.Now(), &err)
	return o.Backend.Claim(ctx, kind, hold, limit)
}

func (o observed) NextDue(ctx context.Context, kind Kind) (due time.Time, err error) {
	defer o.measure("next_due", time.Now(), &err)
	return o.Backend.NextDue(ctx, kind)
}

func (o observed) List(ctx context.Context, kind Kind, after string, limit int) (records []Record, err error) {
	defer o.measure("list", time.Now(), &err)
	return o.Backend.List(ctx, kind, after, limit)
}

func (o observed) Ping(ctx context.Context) (err error) {
	defer o.measure("ping", time.Now(), &err)
	return o.Backend.Ping(ctx)
}
