package bot_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/bot"
)

func TestPolicyFileMeasure(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	write := func(text string) { require.NoError(t, os.WriteFile(path, []byte(text), 0o600)) }
	write("version: 1\nrules: []\n")
	policy, err := bot.OpenPolicy(path)
	require.NoError(t, err)
	registry := prometheus.NewRegistry()
	policy.Measure(registry)
	current := func() float64 {
		families, err := registry.Gather()
		require.NoError(t, err)
		require.Len(t, families, 1)
		require.Equal(t, "ghscoped_bot_policy_current", families[0].GetName())
		return families[0].GetMetric()[0].GetGauge().GetValue()
	}
	require.Equal(t, 1.0, current())
	write("version: 1\nrules: [")
	require.Equal(t, 0.0, current())
	write("version: 1\nrules:   []\n")
	require.Equal(t, 1.0, current())
}
