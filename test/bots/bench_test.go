package bots_test

import (
	"net/http"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/test/rig"
)

const (
	// tokens is how many a benchmark mints, one after the other.
	tokens = 200
	// refusals is how many requests are refused, and askers how many ask at once.
	refusals, askers = 2000, 16
)

func describe(b *testing.B) {
	b.Logf("%s/%s, %d cores, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
}

// sum is what a histogram of the service has added up, in milliseconds.
func (w *world) sum(b *testing.B, name string) (total float64) {
	_, metrics := w.call(b, w.metricsToken, http.MethodGet, "metrics", "")
	for _, found := range regexp.MustCompile(`(?m)^`+name+`_sum(?:\{[^}]*\})? (\S+)$`).FindAllStringSubmatch(metrics, -1) {
		seconds, err := strconv.ParseFloat(found[1], 64)
		require.NoError(b, err)
		total += seconds * 1000
	}
	return total
}

// direct calls the service beside the Hub's proxy, as a bot in the cluster may.
func (w *world) direct(b *testing.B, body string) int {
	bot := w.Hub.Holder(w.docsToken).At(w.Hub.ServiceAddr + "/services/connect-github/")
	return rig.Call(b, bot, http.MethodPost, "api/bot-tokens", body, nil)
}

// BenchmarkBotToken measures what a token costs beyond GitHub's own answer: the
// Hub's word on who asks, the policy, two records on the disk, the audit. The
// simulator and the Hub say how much of it is theirs through the metrics.
func BenchmarkBotToken(b *testing.B) {
	describe(b)
	w := shared
	own := ask("octo-org/handbook", "contents", "write")
	require.Equal(b, http.StatusOK, w.direct(b, own))
	for range b.N {
		github, hub := w.sum(b, "ghscoped_github_request_duration_seconds"), w.sum(b, "ghscoped_hub_request_duration_seconds")
		var took []float64
		var all float64
		for range tokens {
			began := time.Now()
			require.Equal(b, http.StatusOK, w.direct(b, own))
			one := float64(time.Since(began).Microseconds()) / 1000
			took, all = append(took, one), all+one
		}
		slices.Sort(took)
		github = (w.sum(b, "ghscoped_github_request_duration_seconds") - github) / tokens
		hub = (w.sum(b, "ghscoped_hub_request_duration_seconds") - hub) / tokens // and a little for reading the metrics
		b.ReportMetric(took[tokens/2], "ms/median")
		b.ReportMetric(github, "ms/of-GitHub")
		b.ReportMetric(hub, "ms/of-the-Hub")
		b.ReportMetric(all/tokens-github, "ms/added")
		b.ReportMetric(all/tokens-github-hub, "ms/added-by-us")
		b.ReportMetric(0, "ns/op") // of no meaning here
	}
}

// BenchmarkBotTokenRefused measures how many requests a second are refused, over HTTP.
// Each asks the real Hub who calls.
func BenchmarkBotTokenRefused(b *testing.B) {
	describe(b)
	w := shared
	for range b.N {
		var refused atomic.Int64
		began := time.Now()
		var all sync.WaitGroup
		for range askers {
			all.Go(func() {
				for range refusals / askers {
					if w.direct(b, ask("octo-org/shared", "contents", "write")) == http.StatusForbidden {
						refused.Add(1)
					}
				}
			})
		}
		all.Wait()
		require.EqualValues(b, refusals, refused.Load())
		b.ReportMetric(refusals/time.Since(began).Seconds(), "refused/s")
		b.ReportMetric(0, "ns/op")
	}
}
