package deliver_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/deliver"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
)

// BenchmarkDelivery prints the median and the worst of 50 deliveries by each
// way, in milliseconds, from the call to its return.
func BenchmarkDelivery(b *testing.B) {
	for _, c := range []struct {
		method string
		server hubtest.JupyterOptions
	}{
		{"terminal", hubtest.JupyterOptions{}},
		{"kernel of Notebook 6", hubtest.JupyterOptions{Version: "hub4", Module: "notebook"}},
		{"kernel", hubtest.JupyterOptions{Args: []string{noTerminals}}},
	} {
		b.Run(c.method, func(b *testing.B) {
			s := start(b, c.server)
			d := newDeliverer(b, deliver.Options{})
			for b.Loop() {
				times := make([]time.Duration, 50)
				for i := range times {
					began := time.Now()
					method, err := d.Deliver(b.Context(), s.target, gitCredential("https://github.com", token))
					times[i] = time.Since(began)
					require.NoError(b, err)
					require.Equal(b, c.method, method)
				}
				slices.Sort(times)
				b.ReportMetric(milliseconds(times[len(times)/2]), "ms/median")
				b.ReportMetric(milliseconds(times[len(times)-1]), "ms/worst")
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
