package lab_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/gif"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/hubtest/journey"
	"github.com/ghscoped/ghscoped-service/test/picture"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// The film of the README is the way from Push in the Git panel to pushed. With
// -pictures it is taken anew.
func TestFilm(t *testing.T) {
	t.Parallel()
	path := filepath.Join(pictures, "push.gif")
	if *takePictures {
		film, err := picture.GIF(filmed(t))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, film, 0o644))
	}
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Less(t, len(file), 1_000_000)
	film, err := gif.DecodeAll(bytes.NewReader(file))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(film.Image), 6)
	require.Equal(t, filmWidth, film.Config.Width)
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	require.NoError(t, err)
	require.Contains(t, string(readme), "(docs/lab/push.gif)")
}

const filmWidth, filmHeight = 900, 560

// camera takes the pictures of a film.
type camera struct {
	t      *testing.T
	ctx    context.Context
	frames []picture.Frame
}

// take takes what a tab shows; what is clicked next is marked.
func (c *camera) take(tab context.Context, next chromedp.CSS, shown time.Duration) {
	c.t.Helper()
	mark := func(outline string) {
		c.t.Helper()
		if next == "" {
			return
		}
		script := fmt.Sprintf(`Object.assign(document.querySelector(%q).style, {outline: %q, outlineOffset: "2px"})`, string(next), outline)
		require.NoError(c.t, hubtest.RunIn(c.ctx, tab, chromedp.Evaluate[chromedp.Void](script)))
	}
	mark("3px solid #e8590c")
	c.frames = append(c.frames, picture.Frame{Image: screen(c.ctx, c.t, tab, filmWidth, filmHeight), For: shown})
	mark("")
}

func filmed(t *testing.T) []picture.Frame {
	ctx := hubtest.Context(t)
	p := shared.newPersonNamed(t, "ada", "papers")
	rig.Shell(t, p.terminal, "cd papers && echo '# Notes' >notes.md && git add notes.md && git commit -q --amend -m 'Notes of today' && cd")
	browser := hubtest.NewBrowser(t)
	require.NoError(t, browser.SignIn(ctx, p.Hub, p.name))
	require.NoError(t, browser.Run(ctx, chromedp.EmulateViewport(filmWidth, filmHeight), chromedp.Navigate(p.server+"lab/tree/papers"),
		hubtest.ClickUntil(gitTab, gitPanel), chromedp.WaitVisible(pushAhead)))
	until(ctx, t, browser.Tab(), statusItem, notConnected)
	noNews(ctx, t, browser.Tab())
	c := &camera{t: t, ctx: ctx}
	c.take(browser.Tab(), pushAhead, 2500*time.Millisecond)

	require.NoError(t, browser.Run(ctx, hubtest.Click(pushAhead)))
	code := until(ctx, t, browser.Tab(), codeText, aCode)
	c.take(browser.Tab(), "", 1500*time.Millisecond)
	c.take(browser.Tab(), goToGitHub, 1500*time.Millisecond)

	tab, closeTab, err := browser.ClickToTab(ctx, goToGitHub)
	require.NoError(t, err)
	require.NoError(t, hubtest.RunIn(ctx, tab, chromedp.EmulateViewport(filmWidth, filmHeight), chromedp.Click(journey.SimSignIn(p.name), chromedp.NodeVisible),
		chromedp.WaitVisible(simContinue), chromedp.SendKeys(simCode, code)))
	c.take(tab, simContinue, 2*time.Second)
	require.NoError(t, hubtest.RunIn(ctx, tab, chromedp.Click(simContinue), chromedp.WaitVisible(journey.SimAuthorize)))
	c.take(tab, journey.SimAuthorize, 2*time.Second)
	require.NoError(t, journey.Authorize(ctx, tab))
	closeTab()

	until(ctx, t, browser.Tab(), statusItem, connected)
	require.Eventually(t, p.hasPushed, hubtest.Patience, 100*time.Millisecond)
	until(ctx, t, browser.Tab(), "body", "Successfully pushed")
	require.NoError(t, browser.Run(ctx, chromedp.WaitVisible(nothingMore)))
	c.take(browser.Tab(), "", 4*time.Second)
	return c.frames
}

// Selectors of the simulator.
const (
	simCode     = chromedp.CSS("#user-code")
	simContinue = chromedp.CSS("#continue")
)

// noNews answers what JupyterLab asks in a home that is new.
func noNews(ctx context.Context, t *testing.T, tab context.Context) {
	t.Helper()
	const no = `[...document.querySelectorAll(".jp-toast-button")].find(b => b.textContent === "No")`
	require.NoError(t, hubtest.RunIn(ctx, tab, chromedp.WaitVisible(chromedp.CSS(".jp-toast-button")), chromedp.Evaluate[chromedp.Void](no+".click()"),
		chromedp.WaitNotPresent(chromedp.CSS(".jp-toast-button"))))
}

// screen takes a picture of a window once nothing in it moves any more.
func screen(ctx context.Context, t *testing.T, tab context.Context, width, height float64) image.Image {
	t.Helper()
	_, err := chromedp.Call(tab, input.DispatchMouseEvent, input.DispatchMouseEventParams{Type: input.DispatchMouseEventTypeMouseMoved, X: width - 1, Y: 1}) // over nothing
	require.NoError(t, err)
	_, err = hubtest.Read(ctx, tab, chromedp.Poll[bool](still))
	require.NoError(t, err)
	shot, err := picture.Take(tab, page.Viewport{Width: width, Height: height, Scale: 1})
	require.NoError(t, err)
	return shot
}
