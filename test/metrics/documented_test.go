package metrics_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/app"
	"github.com/ghscoped/ghscoped-service/internal/config"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

const (
	document  = "../../docs/metrics.md"
	rules     = "../../helm/ghscoped-service/files/rules.yaml"
	dashboard = "../../helm/ghscoped-service/files/dashboard.json"
)

var update = flag.Bool("update", false, "write the table of metrics anew")

// metric is one as the code registered it.
type metric struct {
	name, kind, help string
	labels           []string
}

// registered are the service's own metrics: those of a whole service, which is
// joined but not started.
func registered(t *testing.T) map[string]metric {
	t.Helper()
	folder := t.TempDir()
	cfg, err := config.Load("", append(withBots(t),
		"JUPYTERHUB_SERVICE_NAME=connect-github", "JUPYTERHUB_SERVICE_URL=http://127.0.0.1:1",
		"JUPYTERHUB_API_URL=http://127.0.0.1:1/hub/api", "JUPYTERHUB_API_TOKEN=token", "GHSCOPED_PROXY_URL=http://127.0.0.1:1",
		"GHSCOPED_CLIENT_ID=Iv23example", "GHSCOPED_APP_URL=https://github.com/apps/example",
		"GHSCOPED_STORE=bolt:"+filepath.Join(folder, "store.db"),
	), os.ReadFile)
	require.NoError(t, err)
	registry := prometheus.NewRegistry()
	_, err = app.New(cfg, app.Dependencies{
		Logger: slog.New(slog.DiscardHandler), Audit: io.Discard, Clock: time.Now, HTTP: &http.Client{}, GitHub: &http.Client{},
		Registry: registry, Version: "test",
	})
	require.NoError(t, err)
	descriptions := make(chan *prometheus.Desc)
	go func() {
		registry.Describe(descriptions)
		close(descriptions)
	}()
	found := map[string]metric{}
	for description := range descriptions {
		if one := parse(t, description.String()); strings.HasPrefix(one.name, "ghscoped_") {
			found[one.name] = one
		}
	}
	return found
}

// withBots are the settings that enable bot tokens, with a policy that allows
// nothing.
func withBots(t *testing.T) []string {
	t.Helper()
	env, _, err := rig.BotSettings(t.TempDir(), "version: 1\nrules: []\n")
	require.NoError(t, err)
	return env
}

var description = regexp.MustCompile(`^Desc\{fqName: ("(?:[^"\\]|\\.)*"), help: ("(?:[^"\\]|\\.)*"),.* constLabels: \{(.*?)\}, variableLabels: \{(.*?)\}`)

// parse reads what client_golang tells of a metric, which is a text.
func parse(t *testing.T, text string) metric {
	t.Helper()
	parts := description.FindStringSubmatch(text)
	require.NotNil(t, parts, text)
	one := metric{}
	require.NoError(t, json.Unmarshal([]byte(parts[1]), &one.name))
	require.NoError(t, json.Unmarshal([]byte(parts[2]), &one.help))
	for _, label := range strings.Split(parts[3]+","+parts[4], ",") {
		if name, _, _ := strings.Cut(label, "="); name != "" {
			one.labels = append(one.labels, name)
		}
	}
	one.kind = "gauge"
	switch { // by its name; a real scrape says whether that is true
	case strings.HasSuffix(one.name, "_total"):
		one.kind = "counter"
	case strings.HasSuffix(one.name, "_seconds"):
		one.kind = "histogram"
	}
	return one
}

func TestMetricsAreDocumented(t *testing.T) {
	all := registered(t)
	var b strings.Builder
	b.WriteString("| metric | kind | labels | meaning |\n|---|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		one := all[name]
		labels := ""
		if len(one.labels) > 0 {
			labels = "`" + strings.Join(one.labels, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", one.name, one.kind, labels, one.help)
	}
	content, err := os.ReadFile(document)
	require.NoError(t, err)
	made := rig.Between(t, string(content), "metrics", b.String())
	rig.InStep(t, *update, document, made, "go test ./test/metrics -run Documented -update")
}

// names are the service's metrics in a text, without what histograms append.
func names(text string) []string {
	all := regexp.MustCompile(`\bghscoped_[a-z_]+`).FindAllString(text, -1)
	for i := range all {
		for _, suffix := range []string{"_bucket", "_count", "_sum"} {
			all[i] = strings.TrimSuffix(all[i], suffix)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func TestRulesAndDashboardNameMetricsThatExist(t *testing.T) {
	t.Parallel()
	all := registered(t)
	for _, path := range []string{rules, dashboard, "testdata/rules_test.yaml"} {
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		found := names(string(content))
		require.NotEmpty(t, found)
		for _, name := range found {
			require.Contains(t, all, name, path)
		}
	}
}

func TestDashboardIsThatOfItsProgram(t *testing.T) {
	t.Parallel()
	made, err := exec.Command("go", "run", "../../helm/dashboard").Output()
	require.NoError(t, err)
	content, err := os.ReadFile(dashboard)
	require.NoError(t, err)
	require.Equal(t, string(made), string(content), "make it anew: go run ./helm/dashboard > helm/ghscoped-service/files/dashboard.json")
}

func TestRulesDoWhatTheySay(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"check", "rules", rules}, {"test", "rules", "testdata/rules_test.yaml"}} {
		out, err := exec.Command("promtool", args...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
}

func TestPrometheusTakesTheDocumentsConfiguration(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(document)
	require.NoError(t, err)
	_, block, found := strings.Cut(string(content), "```yaml\n")
	require.True(t, found)
	block, _, _ = strings.Cut(block, "```")
	absolute, err := filepath.Abs(rules)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "prometheus.yml")
	require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(block, "/etc/prometheus/ghscoped-rules.yaml", absolute)), 0o600))
	out, err := exec.Command("promtool", "check", "config", path).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "SUCCESS: 18 rules found")
}
