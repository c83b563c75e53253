package flow

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

func TestMetricsCountAPendingFlowWhileItsPollTakesLong(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	registry := prometheus.NewRegistry()
	counted := newMetrics(registry, func() time.Time { return now })
	pending := func() float64 {
		families, err := registry.Gather()
		require.NoError(t, err)
		for _, family := range families {
			if family.GetName() == "ghscoped_flows_pending" {
				return family.GetMetric()[0].GetGauge().GetValue()
			}
		}
		require.Fail(t, "no such metric")
		return 0
	}
	ada := &User{Name: "ada", Flow: &Flow{State: Pending, Retry: Retry{Due: now.Add(5 * time.Second)}}}
	counted.saved(ada)
	require.Equal(t, 1.0, pending())
	now = now.Add(5 * time.Second)
	counted.stepBegan(ada, 0)
	now = now.Add(Hold - time.Second)
	require.Equal(t, 1.0, pending(), "GitHub does not answer")
	now = now.Add(time.Minute)
	require.Zero(t, pending(), "another process has it by now")

	counted.stepBegan(ada, 0)
	ada.Flow.State = Cancelled
	counted.saved(ada)
	require.Zero(t, pending())
}
