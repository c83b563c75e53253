package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/store/redistest"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

const (
	// settling is two intervals, after which every flow was polled in turn.
	settling = 10 * time.Second
	window   = 20 * time.Second
)

// BenchmarkPendingFlows measures one process of the service with bbolt while so
// many flows wait for their approval, each polled every 5 s (GitHub's interval)
// at a simulator in a process of its own: resident memory, processor time and
// lateness, as the service's own metric counts it: a quantile is estimated within
// a bucket, which is wide for the worst. The flows are begun by the API. The Hub has no part in polling; to
// create 50,000 users in a real one would take an hour, so one line of JSON
// stands in for it.
func BenchmarkPendingFlows(b *testing.B) {
	b.Logf("%s/%s, %d cores, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	for _, flows := range []int{1_000, 10_000, 50_000} {
		b.Run(fmt.Sprint(flows), func(b *testing.B) {
			for range b.N {
				measure(b, flows)
			}
		})
	}
}

func measure(b *testing.B, flows int) {
	ctx, cancel := context.WithTimeout(b.Context(), 5*time.Minute)
	defer cancel()
	p := startPolling(ctx, b)
	empty := p.resident(b)
	began := time.Now()
	p.begin(ctx, b, flows)
	took := time.Since(began)
	time.Sleep(settling)

	used, theirs := cpu(b, p.service), cpu(b, p.simulator)
	late, polls := p.lateness(ctx, b), p.polls(ctx, b)
	time.Sleep(window)
	used, theirs = cpu(b, p.service)-used, cpu(b, p.simulator)-theirs
	late, after := p.lateness(ctx, b).since(late), p.polls(ctx, b)
	require.Zero(b, after.TooEarly, "polls that came too early")
	require.Equal(b, flows, after.Flows)

	b.ReportMetric(float64(flows)/took.Seconds(), "starts/s")
	b.ReportMetric(float64(p.resident(b))/(1<<20), "MiB/resident")
	b.ReportMetric(float64(p.resident(b)-empty)/float64(flows), "B/flow")
	b.ReportMetric(used.Seconds()*float64(time.Minute)/float64(window), "CPU-s/min")
	b.ReportMetric(theirs.Seconds()*float64(time.Minute)/float64(window), "CPU-s/min-of-the-simulator")
	b.ReportMetric(float64(after.Polls-polls.Polls)/window.Seconds(), "polls/s")
	b.ReportMetric(1000*late.quantile(.5), "ms-late/median")
	b.ReportMetric(1000*late.quantile(.99), "ms-late/99%")
	b.ReportMetric(100*late.below(1), "%<1s-late")
	b.ReportMetric(0, "ns/op") // of no meaning here
}

// polling is the service, its GitHub, and what stands in for the Hub.
type polling struct {
	service, simulator *hubtest.Program

	url    string // of the page
	ops    string // of the metrics
	github githubsim.Info
}

func startPolling(ctx context.Context, b *testing.B) *polling {
	github, err := rig.Start(nil, nil, simulator)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, github.Stop(5*time.Second)) })
	require.NoError(b, github.Log.Wait(ctx, "\n", github.Done()))
	p := &polling{simulator: github}
	require.NoError(b, json.Unmarshal(github.Log.Bytes(), &p.github))

	hub := httptest.NewServer(http.HandlerFunc(whoami))
	b.Cleanup(hub.Close)
	const prefix = "/services/" + hubtest.ServiceName + "/"
	listen, ops := redistest.FreePort(b), redistest.FreePort(b)
	p.url, p.ops = fmt.Sprintf("http://127.0.0.1:%d%s", listen, prefix), fmt.Sprintf("http://127.0.0.1:%d/", ops)
	p.service, err = rig.Start([]string{
		"JUPYTERHUB_SERVICE_NAME=" + hubtest.ServiceName, "JUPYTERHUB_SERVICE_PREFIX=" + prefix,
		fmt.Sprintf("JUPYTERHUB_SERVICE_URL=http://127.0.0.1:%d", listen), "JUPYTERHUB_API_URL=" + hub.URL + "/hub/api",
		"JUPYTERHUB_API_TOKEN=of-no-use-here", "JUPYTERHUB_PUBLIC_URL=" + p.url, "GHSCOPED_PROXY_URL=" + hub.URL,
		"GHSCOPED_CLIENT_ID=" + githubsim.DefaultClientID, "GHSCOPED_APP_URL=" + p.github.AppURL, "GHSCOPED_GITHUB_URL=" + p.github.URL,
		"GHSCOPED_STORE=bolt:" + filepath.Join(b.TempDir(), "store.db"), "GHSCOPED_LOG_LEVEL=warn",
		fmt.Sprintf("GHSCOPED_METRICS_ADDR=127.0.0.1:%d", ops),
	}, nil, service, "serve")
	require.NoError(b, err)
	b.Cleanup(func() {
		require.NoError(b, p.service.Stop(20*time.Second))
		if b.Failed() {
			b.Log(p.service.Log.Tail(20))
		}
	})
	require.NoError(b, rig.Answers(ctx, p.ops+"healthz", p.service.Done()), string(p.service.Log.Bytes()))
	return p
}

// whoami says that a token belongs to the user of the same name.
func whoami(w http.ResponseWriter, r *http.Request) {
	_, name, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	_ = json.NewEncoder(w).Encode(map[string]any{"kind": "user", "name": name,
		"scopes": []string{"access:services!service=" + hubtest.ServiceName}})
}

// begin begins a flow for each of so many users.
func (p *polling) begin(ctx context.Context, b *testing.B, flows int) {
	b.Helper()
	const atOnce = 32
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: atOnce}}
	failed := make(chan error, atOnce)
	for worker := range atOnce {
		go func() {
			for i := worker; i < flows; i += atOnce {
				if err := p.beginOne(ctx, client, fmt.Sprintf("user-%05d", i)); err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
	}
	for range atOnce {
		require.NoError(b, <-failed)
	}
}

func (p *polling) beginOne(ctx context.Context, client *http.Client, user string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"api/flows", nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "token "+user)
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusCreated {
		return fmt.Errorf("a flow of %s: status %d: %s", user, response.StatusCode, answer)
	}
	return err
}

func (p *polling) resident(b *testing.B) int64 {
	bytes, err := rig.Resident(p.service.PID())
	require.NoError(b, err)
	return bytes
}

func cpu(b *testing.B, process *hubtest.Program) time.Duration {
	used, err := rig.CPU(process.PID())
	require.NoError(b, err)
	return used
}

func (p *polling) polls(ctx context.Context, b *testing.B) (summary githubsim.PollSummary) {
	require.NoError(b, json.Unmarshal(get(ctx, b, p.github.AdminURL+"/polls"), &summary))
	return summary
}

func (p *polling) lateness(ctx context.Context, b *testing.B) histogram {
	return readHistogram(bytes.NewReader(get(ctx, b, p.ops+"metrics")), "ghscoped_flow_step_lateness_seconds")
}

func get(ctx context.Context, b *testing.B, address string) []byte {
	b.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	require.NoError(b, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(b, err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	require.NoError(b, err)
	require.Equal(b, http.StatusOK, response.StatusCode)
	return content
}
