package metrics_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/metrics"
)

func TestAPendingFlowIsCountedWhileItsPollTakesLong(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	registry := prometheus.NewRegistry()
	counted := metrics.Flow(registry, func() time.Time { return now })
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
	ada := &flow.User{Name: "ada", Flow: &flow.Flow{State: flow.Pending, Due: now.Add(5 * time.Second)}}
	counted.Saved(ada)
	require.Equal(t, 1.0, pending())
	now = now.Add(5 * time.Second)
	counted.StepBegan(ada, 0)
	now = now.Add(flow.Hold - time.Second)
	require.Equal(t, 1.0, pending(), "GitHub does not answer")
	now = now.Add(time.Minute)
	require.Zero(t, pending(), "another process has it by now")

	counted.StepBegan(ada, 0)
	ada.Flow.State = flow.Cancelled
	counted.Saved(ada)
	require.Zero(t, pending())
}
