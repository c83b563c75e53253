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

	"github.com/ghscoped/ghscoped-service/internal/oidcsim"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

const (
	// tokens is how many a benchmark mints for each kind of caller, one after the other.
	tokens = 200
	// turns are taken by the callers, so that what else the machine does meets all.
	turns = 10
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
func (w *world) direct(b *testing.B, token, body string) int {
	bot := w.Hub.Holder(token).At(w.Hub.ServiceAddr + "/services/connect-github/")
	return rig.Call(b, bot, http.MethodPost, "api/bot-tokens", body, nil)
}

// cost is what the tokens of one kind of caller took, in milliseconds.
type cost struct {
	took        []float64
	github, hub float64
}

// BenchmarkBotToken measures what a token costs beyond GitHub's own answer, for a Hub
// service and for a workflow, in turns: the Hub's word on who asks or the signature of
// an identity token, the policy, records on the disk, the audit. The simulator and the
// Hub say how much of it is theirs through the metrics.
func BenchmarkBotToken(b *testing.B) {
	describe(b)
	w := shared
	own := ask("octo-org/handbook", "contents", "write")
	callers := map[string]func() string{
		"Hub-service": func() string { return w.docsToken },
		"workflow":    func() string { return w.workflow(oidcsim.Job{}) },
	}
	for range b.N {
		costs := map[string]*cost{}
		for name, token := range callers {
			costs[name] = &cost{}
			require.Equal(b, http.StatusOK, w.direct(b, token(), own)) // with what is looked up once
		}
		for range turns {
			for name, token := range callers {
				w.measure(b, costs[name], token, own)
			}
		}
		for name, c := range costs {
			slices.Sort(c.took)
			all := 0.0
			for _, one := range c.took {
				all += one
			}
			count := float64(len(c.took))
			b.ReportMetric(c.took[len(c.took)/2], "ms/"+name+"-median")
			b.ReportMetric(c.github/count, "ms/"+name+"-of-GitHub")
			b.ReportMetric(c.hub/count, "ms/"+name+"-of-the-Hub")
			b.ReportMetric((all-c.github)/count, "ms/"+name+"-added")
			b.ReportMetric((all-c.github-c.hub)/count, "ms/"+name+"-added-by-us")
		}
		b.ReportMetric(0, "ns/op") // of no meaning here
	}
}

// measure asks for some tokens, each with an identity that was made before.
func (w *world) measure(b *testing.B, c *cost, token func() string, own string) {
	shown := make([]string, tokens/turns)
	for i := range shown {
		shown[i] = token()
	}
	github, hub := w.sum(b, "ghscoped_github_request_duration_seconds"), w.sum(b, "ghscoped_hub_request_duration_seconds")
	for _, one := range shown {
		began := time.Now()
		require.Equal(b, http.StatusOK, w.direct(b, one, own))
		c.took = append(c.took, float64(time.Since(began).Microseconds())/1000)
	}
	c.github += w.sum(b, "ghscoped_github_request_duration_seconds") - github
	c.hub += w.sum(b, "ghscoped_hub_request_duration_seconds") - hub // and a little for reading the metrics
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
					if w.direct(b, w.docsToken, ask("octo-org/shared", "contents", "write")) == http.StatusForbidden {
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
