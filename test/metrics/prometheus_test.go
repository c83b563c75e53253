package metrics_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/hubtest/journey"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// world is a service at work: a Hub that manages it, a GitHub, and a Prometheus
// that scrapes it.
type world struct {
	hub     *hubtest.Hub
	github  *githubsim.Server
	metrics string // http://HOST:PORT of metrics and health
	prom    string // http://HOST:PORT of Prometheus
}

func newWorld(t *testing.T) *world {
	t.Helper()
	service, err := rig.Build(t.TempDir(), "cmd/ghscoped-service")
	require.NoError(t, err)
	w := &world{github: rig.NewGitHub(t, githubsim.Options{Interval: time.Second}), metrics: rig.FreeAddress(t), prom: rig.FreeAddress(t)}
	policy, key := botFiles(t)
	env := rig.ByName(append(rig.GitHubEnv(w.github), "GHSCOPED_METRICS_ADDR="+w.metrics,
		"GHSCOPED_BOT_POLICY="+policy, "GHSCOPED_APP_PRIVATE_KEY_FILE="+key))
	w.hub = hubtest.New(t, hubtest.Options{Users: []string{"ada"}, ServiceCommand: []string{service, "serve"}, ServiceEnv: env})
	w.startPrometheus(t)
	return w
}

func (w *world) startPrometheus(t *testing.T) {
	t.Helper()
	folder := t.TempDir()
	absolute, err := filepath.Abs(rules)
	require.NoError(t, err)
	settings := filepath.Join(folder, "prometheus.yml")
	require.NoError(t, os.WriteFile(settings, fmt.Appendf(nil, `
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [%q]
scrape_configs:
  - job_name: ghscoped-service
    static_configs: [{targets: [%q]}]
`, absolute, w.metrics), 0o600))
	rig.Run(t, nil, "prometheus", "--config.file", settings, "--storage.tsdb.path", filepath.Join(folder, "data"),
		"--web.listen-address", w.prom, "--log.level", "error")
}

// connectAndLeave is what a person does, so that there is something to count.
func (w *world) connectAndLeave(t *testing.T) {
	t.Helper()
	ctx := hubtest.Context(t)
	_, err := w.hub.StartServer(ctx, "ada", "")
	require.NoError(t, err)
	ada, err := w.hub.Visit(ctx, "ada")
	require.NoError(t, err)
	_, err = ada.Page(ctx)
	require.NoError(t, err)
	require.NoError(t, journey.ConnectByAPI(ctx, ada, func(code string) error { return w.github.Approve(code, "octocat") }))
	_, err = ada.Call(ctx, http.MethodDelete, "api/connection", nil, nil)
	require.NoError(t, err)
	// The empty policy refuses it.
	status, err := w.hub.Holder(w.hub.AdminToken).Call(ctx, http.MethodPost, "api/bot-tokens", map[string]any{
		"repositories": []string{"octocat/hello"}, "permissions": map[string]string{"contents": "read"},
	}, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusForbidden, status)
}

func get(t *testing.T, address string) []byte {
	t.Helper()
	response, err := http.Get(address)
	if err != nil {
		return nil // not there yet
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return body
}

// ask runs a query and returns how many series answer.
func (w *world) ask(t *testing.T, query string) int {
	t.Helper()
	var answer struct {
		Status string
		Error  string
		Data   struct{ Result []json.RawMessage }
	}
	body := get(t, "http://"+w.prom+"/api/v1/query?query="+url.QueryEscape(query))
	if len(body) == 0 || json.Unmarshal(body, &answer) != nil {
		return 0
	}
	require.NotEqual(t, "error", answer.Status, "%s: %s", query, answer.Error)
	return len(answer.Data.Result)
}

// queries are all those of the dashboard, and the names of the recording rules.
func queries(t *testing.T) []string {
	t.Helper()
	content, err := os.ReadFile(dashboard)
	require.NoError(t, err)
	var board struct {
		Panels []struct {
			Targets []struct{ Expr string }
		}
	}
	require.NoError(t, json.Unmarshal(content, &board))
	var found []string
	for _, panel := range board.Panels {
		for _, target := range panel.Targets {
			found = append(found, target.Expr)
		}
	}
	require.Greater(t, len(found), 20)
	return append(found, "ghscoped:http_requests:errors_ratio5m", "ghscoped:github_requests:errors_ratio5m",
		"ghscoped:hub_requests:errors_ratio5m", "ghscoped:flows_finished:failed_ratio30m", "ghscoped:deliveries:failed_ratio30m")
}

func TestARealPrometheusAnswersEveryQuery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connectAndLeave(t)
	all := queries(t)
	for _, query := range all {
		require.Eventually(t, func() bool { return w.ask(t, query) > 0 }, hubtest.Patience, 200*time.Millisecond, query)
	}
	t.Logf("%d queries answered", len(all))
	require.Zero(t, w.ask(t, `ghscoped_no_such_metric`), "the check can fail")
	require.Zero(t, w.ask(t, `ALERTS{alertstate="firing"}`), "nothing is wrong")

	t.Run("promtool finds nothing to mend", func(t *testing.T) {
		scrape := get(t, "http://"+w.metrics+"/metrics")
		command := exec.Command("promtool", "check", "metrics")
		command.Stdin = bytes.NewReader(scrape)
		out, err := command.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Empty(t, string(out))
	})
	t.Run("each metric is scraped, and is what the document says", func(t *testing.T) {
		scrape := string(get(t, "http://"+w.metrics+"/metrics"))
		for name, one := range registered(t) {
			require.Contains(t, scrape, "# TYPE "+name+" "+one.kind+"\n")
		}
	})
	t.Run("no label names a person or a repository", func(t *testing.T) {
		scrape := string(get(t, "http://"+w.metrics+"/metrics"))
		for _, name := range []string{"ada", "octocat", "hello"} {
			require.NotContains(t, scrape, `"`+name, name)
			require.NotContains(t, scrape, `/`+name, name)
		}
	})
}
