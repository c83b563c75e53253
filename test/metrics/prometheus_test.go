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

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// world is a service at work, and a Prometheus that scrapes it.
type world struct {
	*rig.World
	metrics string // HOST:PORT of metrics and health
	prom    string // HOST:PORT of Prometheus
}

func newWorld(t *testing.T) *world {
	t.Helper()
	service, err := rig.Build(t.TempDir(), "cmd/ghscoped-service")
	require.NoError(t, err)
	metrics, prom := rig.FreeAddress(t), rig.FreeAddress(t)
	hub := hubtest.Options{Users: []string{"ada"}, ServiceEnv: rig.ByName(append(withBots(t), "GHSCOPED_METRICS_ADDR="+metrics))}
	w := &world{rig.NewWorld(t, rig.WorldOptions{Program: service, Hub: hub}), metrics, prom}
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
	w.StartServer(t, "ada", "")
	ada := w.Visit(t, "ada")
	rig.Page(t, ada)
	w.Connect(t, ada, "octocat")
	rig.Call(t, ada, http.MethodDelete, "api/connection", nil, nil)
	// The empty policy refuses it.
	require.Equal(t, http.StatusForbidden, rig.Call(t, w.Hub.Holder(w.Hub.AdminToken), http.MethodPost, "api/bot-tokens", map[string]any{
		"repositories": []string{"octocat/hello"}, "permissions": map[string]string{"contents": "read"},
	}, nil))
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

func TestMetricsAnswerEveryQueryOfARealPrometheus(t *testing.T) {
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
