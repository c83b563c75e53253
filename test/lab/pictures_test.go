package lab_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/test/picture"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// pictures is where the pictures of JupyterLab are.
var pictures = filepath.Join("..", "..", "docs", "lab")

var takePictures = flag.Bool("pictures", false, "take the pictures of docs/lab anew, and the film")

// scene is one state of the extension, and what a person has clicked there.
type scene struct {
	name, says string
	stands     func(*played)
	click      chromedp.CSS // if any
	shows      chromedp.CSS
	word       string // in the status bar
}

var scenes = []scene{
	{name: "none", says: "Nobody is connected", stands: func(*played) {}, shows: statusItem, word: "not connected"},
	{name: "code", says: "A click on it, or a push that waits: the code", stands: ask(false), shows: codeText, word: "waiting"},
	{name: "web", says: "The same where the web flow is configured", stands: ask(true), shows: codeText, word: "waiting"},
	{name: "connected", says: "Connected: a click shows the panel", stands: connect("ada", 7*time.Hour+41*time.Minute, "ada/papers", "ada/thesis", "octo-lab/climate-data"), click: statusItem, shows: connection, word: "7 h 41 min"},
	{name: "nowhere", says: "Connected, and the App is installed nowhere", stands: connect("ada", 7*time.Hour+41*time.Minute), click: statusItem, shows: connection, word: "7 h 41 min"},
	{name: "ending", says: "The end comes: a notification", stands: connect("ada", 30*time.Minute, "ada/papers"), shows: warning, word: "ends in 30 min"},
	{name: "ending-panel", says: "The panel then", stands: connect("ada", 5*time.Minute, "ada/papers"), click: statusItem, shows: connection, word: "ends in 5 min"},
	{name: "unavailable", says: "The service does not answer; the tooltip says what to do", stands: refuse(503, ""), shows: statusItem, word: "unavailable"},
}

var themes = []struct{ name, theme string }{{"light", "JupyterLab Light"}, {"dark", "JupyterLab Dark"}}

// The pictures of docs/lab have every state of the extension, light and dark. With
// -pictures they are taken anew.
func TestPictures(t *testing.T) {
	t.Parallel()
	if *takePictures {
		require.NoError(t, os.MkdirAll(pictures, 0o755))
		takeScenes(t)
	}
	rig.InStep(t, *takePictures, filepath.Join(pictures, "README.md"), index(), "make lab-pictures")
	for _, s := range scenes {
		for _, theme := range themes {
			file, err := os.ReadFile(filepath.Join(pictures, s.name+"-"+theme.name+".png"))
			require.NoError(t, err)
			shot, err := png.Decode(bytes.NewReader(file))
			require.NoError(t, err)
			require.Equal(t, 800, shot.Bounds().Dx())
			require.Less(t, len(file), 100_000, s.name)
		}
	}
}

func takeScenes(t *testing.T) {
	ctx := hubtest.Context(t)
	for _, theme := range themes {
		service := newPlayed(t)
		jupyter := withoutHub(t, "jupyterlab", service, "--LabApp.expose_app_in_browser=True")
		browser := hubtest.NewBrowser(t)
		require.NoError(t, browser.Run(ctx, chromedp.EmulateViewport(800, 520)))
		open(ctx, t, browser, jupyter, "lab")
		require.NoError(t, browser.Run(ctx, chromedp.WaitVisible(launcher),
			chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`jupyterapp.commands.execute("apputils:change-theme", {theme: %q})`, theme.theme), chromedp.EvalAwaitPromise)))
		noNews(ctx, t, browser.Tab())
		for _, s := range scenes {
			service.become(s.stands)
			until(ctx, t, browser.Tab(), statusItem, s.word)
			if s.click != "" {
				require.NoError(t, browser.Run(ctx, hubtest.Click(s.click)))
			}
			require.NoError(t, browser.Run(ctx, chromedp.WaitVisible(s.shows)))
			shot := screen(ctx, t, browser.Tab(), 800, 520)
			file, err := picture.PNG(shot)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(pictures, s.name+"-"+theme.name+".png"), file, 0o644))
			putAway(ctx, t, browser)
		}
	}
}

// putAway closes what is open, so that the next state is seen alone.
func putAway(ctx context.Context, t *testing.T, browser *hubtest.Browser) {
	t.Helper()
	require.NoError(t, browser.Run(ctx, chromedp.Evaluate[chromedp.Void](
		`document.querySelector(".jp-Dialog")?.dispatchEvent(new KeyboardEvent("keydown", {key: "Escape", keyCode: 27, bubbles: true}))`),
		chromedp.WaitNotPresent(chromedp.CSS(".jp-Dialog"))))
}

// index lists the pictures for a reader of the repository.
func index() string {
	var b strings.Builder
	b.WriteString("# The extension in JupyterLab, in all its states\n\nTaken by `make lab-pictures` from a real JupyterLab; the names are samples.\n\n")
	b.WriteString("![A push in the Git panel shows a code, and goes through once it is approved at GitHub](push.gif)\n\nFrom *Push* in the Git panel to *pushed*, with a simulated GitHub.\n")
	for _, s := range scenes {
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n\n", s.name, s.says)
		for _, theme := range themes {
			fmt.Fprintf(&b, "![%s, %s](%s-%[2]s.png) ", s.name, theme.name, s.name)
		}
		b.WriteString("\n")
	}
	return b.String()
}
