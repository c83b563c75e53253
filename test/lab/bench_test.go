package lab_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
)

// launcher is there when JupyterLab can be used.
const launcher = chromedp.CSS(`.jp-Launcher-section`)

// How long JupyterLab takes until its launcher is there, with the extension and
// without, by turns in one browser; and how large the extension is.
func BenchmarkLabStart(b *testing.B) {
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Minute)
	defer cancel()
	service := newPlayed(b)
	service.become(connect("ada", 8*time.Hour, "ada/papers"))
	servers := map[string]*hubtest.Jupyter{
		"with":    withoutHub(b, "jupyterlab", service),
		"without": hubtest.JupyterServer(b, hubtest.JupyterOptions{Module: "jupyterlab", Args: quietLab}),
	}
	browser := hubtest.NewBrowser(b)
	took := map[string][]float64{}
	const turns = 8 // and one before, which fills caches
	for b.Loop() {
		for turn := range 1 + turns {
			order := []string{"with", "without"}
			if turn%2 == 1 {
				slices.Reverse(order)
			}
			for _, which := range order {
				jupyter := servers[which]
				require.NoError(b, browser.Run(ctx, chromedp.Navigate("about:blank"), chromedp.Navigate(jupyter.URL+"lab?reset&token="+jupyter.Token)))
				ms, err := hubtest.Read(ctx, browser.Tab(), chromedp.Evaluate[float64](untilThere, chromedp.EvalAwaitPromise))
				require.NoError(b, err)
				if turn > 0 {
					took[which] = append(took[which], ms)
				}
			}
		}
	}
	b.Logf("with: %.0f ms; without: %.0f ms", took["with"], took["without"])
	b.ReportMetric(median(took["with"]), "ms-with")
	b.ReportMetric(median(took["without"]), "ms-without")
	plain, packed := bundle(b)
	b.ReportMetric(float64(plain)/1000, "kB-bundle")
	b.ReportMetric(float64(packed)/1000, "kB-bundle-gzip")
}

// untilThere is the time since the page's first byte was asked for, once the launcher
// is there.
const untilThere = `new Promise(resolve => {
	const look = () => document.querySelector("` + string(launcher) + `") ? resolve(performance.now()) : requestAnimationFrame(look);
	look();
})`

// What the extension asks for in a JupyterLab that is left open, with a person who is
// connected, and nobody there.
func BenchmarkIdleLab(b *testing.B) {
	const idle = 3 * time.Minute
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Minute)
	defer cancel()
	service := newPlayed(b)
	service.become(connect("ada", 8*time.Hour, "ada/papers"))
	jupyter := withoutHub(b, "jupyterlab", service)
	browser := hubtest.NewBrowser(b)
	open(ctx, b, browser, jupyter, "lab")
	require.NoError(b, browser.Run(ctx, chromedp.WaitVisible(launcher)))
	asked := func() (atService, atServer, all int) {
		for _, count := range service.requests() {
			atService += count
		}
		const requests = `performance.getEntriesByType("resource").filter(r => r.name.includes("/ghscoped/") && !r.name.includes("/static/")).length`
		atServer, err := hubtest.Read(ctx, browser.Tab(), chromedp.Evaluate[int](requests))
		require.NoError(b, err)
		all, err = hubtest.Read(ctx, browser.Tab(), chromedp.Evaluate[int](`performance.getEntriesByType("resource").length`))
		require.NoError(b, err)
		return atService, atServer, all
	}
	for b.Loop() {
		serviceBefore, serverBefore, allBefore := asked()
		time.Sleep(idle) // it is about what happens while nothing does
		atService, atServer, all := asked()
		b.ReportMetric(float64(serviceBefore), "service-requests-to-begin")
		b.ReportMetric(float64(atService-serviceBefore), "service-requests")
		b.ReportMetric(float64(atServer-serverBefore), "server-requests")
		b.ReportMetric(float64(all-allBefore), "requests-of-all-of-Lab")
		b.ReportMetric(idle.Minutes(), "minutes")
	}
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// bundle is how much a browser loads of the extension, as it is and as gzip packs it.
func bundle(b *testing.B) (plain, packed int) {
	b.Helper()
	root, err := hubtest.Root()
	require.NoError(b, err)
	files, err := filepath.Glob(filepath.Join(root, "python", "labextension", "dist", "static", "*.js"))
	require.NoError(b, err)
	require.NotEmpty(b, files)
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(b, err)
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		_, err = w.Write(content)
		require.NoError(b, err)
		require.NoError(b, w.Close())
		plain, packed = plain+len(content), packed+out.Len()
	}
	return plain, packed
}
