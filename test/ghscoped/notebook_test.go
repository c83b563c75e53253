package ghscoped_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/hubtest/journey"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// Selectors of JupyterLab 4, and of the magic's own output.
const (
	labEditor = `.jp-Cell[data-windowed-list-index="%d"] .cm-content`
	labPrompt = `document.querySelector('.jp-Cell[data-windowed-list-index="%d"] .jp-InputPrompt').innerText`
	labIsIdle = `document.querySelector('.jp-Notebook-ExecutionIndicator[data-status="idle"]') !== null`

	magicCode = chromedp.CSS(`.ghscoped-code`)
	magicCopy = chromedp.CSS(`.ghscoped-copy`)
	magicLink = chromedp.CSS(`.ghscoped-link`)
	magicLeft = chromedp.CSS(`.ghscoped-left`)
	magicDone = chromedp.CSS(`.ghscoped-done`)
)

// A notebook in a real JupyterLab: the magic shows the code, a person approves
// it, and the next cell pushes.
func TestMagicInANotebook(t *testing.T) {
	t.Parallel()
	ctx := hubtest.Context(t)
	p, err := shared.newPerson(ctx)
	require.NoError(t, err)
	terminal := server(t, shared.Hub, p.name)
	rig.Shell(t, terminal, "git clone -q "+shared.GitHub.URL()+"/"+p.name+"/hello && cd hello && "+
		"git -c user.name=a -c user.email=a@example.org commit -q --allow-empty -m notebook")
	writeNotebook(t, filepath.Join(shared.Hub.Home(p.name), "push.ipynb"),
		"import ghscoped\n%ghscopedcreds", "!cd hello && git push -q; echo it ended with $?", "%ghscoped status")

	browser := hubtest.NewBrowser(t)
	require.NoError(t, browser.SignIn(ctx, shared.Hub, p.name))
	require.NoError(t, browser.Run(ctx, chromedp.Navigate(shared.Hub.URL+"user/"+p.name+"/lab/tree/push.ipynb")))
	runAll(ctx, t, browser, 3)

	code := seen(ctx, t, browser, magicCode, `^[A-Z0-9]{4}-[A-Z0-9]{4}$`)
	seen(ctx, t, browser, magicLeft, `1[45]:\d\d left`)
	copyCode(ctx, t, browser)

	tab, closeTab, err := browser.ClickToTab(ctx, magicLink)
	require.NoError(t, err)
	require.NoError(t, journey.EnterCode(ctx, tab, p.name, code))
	require.NoError(t, journey.Authorize(ctx, tab))
	closeTab()

	done := seen(ctx, t, browser, magicDone, `^Connected to GitHub for `)
	require.Contains(t, done, "You can push to ")
	require.NotContains(t, done, p.name, "the notebook is saved with its outputs")
	seen(ctx, t, browser, ".jp-Notebook", `it ended with 0`)
	require.True(t, shared.hasPushed(p, p.name+"/hello"))
}

// copyCode clicks until the page says that the code was copied: what is clicked
// while JupyterLab draws its output again does nothing.
func copyCode(ctx context.Context, t *testing.T, browser *hubtest.Browser) {
	t.Helper()
	require.Eventually(t, func() bool {
		if text, err := read(ctx, browser, magicCopy); err != nil || text == "Copied" {
			return err == nil
		}
		_ = browser.Run(ctx, chromedp.Click(magicCopy, chromedp.NodeVisible))
		return false
	}, hubtest.Patience, 500*time.Millisecond, "the code must be copied; the page shows: %s", shown{ctx, browser})
}

// read is an element's text, empty where it is not there.
func read(ctx context.Context, browser *hubtest.Browser, selector chromedp.CSS) (string, error) {
	script := fmt.Sprintf(`(document.querySelector(%q) || {textContent: ""}).textContent`, string(selector))
	return hubtest.Read(ctx, browser.Tab(), chromedp.Evaluate[string](script))
}

// seen waits for an element's text to match, and returns it. JupyterLab takes
// its elements apart and together again, so the page is asked again each time.
func seen(ctx context.Context, t *testing.T, browser *hubtest.Browser, selector chromedp.CSS, pattern string) (text string) {
	t.Helper()
	require.Eventually(t, func() bool {
		var err error
		text, err = read(ctx, browser, selector)
		return err == nil && regexp.MustCompile(pattern).MatchString(text)
	}, hubtest.Patience, 200*time.Millisecond, "%s must be %s; the page shows: %s", selector, pattern, shown{ctx, browser})
	return text
}

// shown is the notebook's text, for a message.
type shown struct {
	ctx     context.Context
	browser *hubtest.Browser
}

func (s shown) String() string {
	text, err := hubtest.Read(s.ctx, s.browser.Tab(), chromedp.Evaluate[string](`document.querySelector(".jp-Notebook").innerText`))
	return fmt.Sprint(text, err)
}

// runAll types Shift-Enter in each cell, when the kernel is there.
func runAll(ctx context.Context, t *testing.T, browser *hubtest.Browser, cells int) {
	t.Helper()
	require.Eventually(t, func() bool {
		idle, err := hubtest.Read(ctx, browser.Tab(), chromedp.Evaluate[bool](labIsIdle))
		return err == nil && idle
	}, hubtest.Patience, 200*time.Millisecond)
	for cell := range cells {
		runCell(ctx, t, browser, cell)
	}
}

// runCell types until the cell's prompt says that it runs, or waits for those
// before it: JupyterLab shows a notebook some time before it takes keys, and
// loses some while it draws.
func runCell(ctx context.Context, t *testing.T, browser *hubtest.Browser, cell int) {
	t.Helper()
	taken := regexp.MustCompile(`\[[*\d]+\]`)
	require.Eventually(t, func() bool {
		prompt, err := hubtest.Read(ctx, browser.Tab(), chromedp.Evaluate[string](fmt.Sprintf(labPrompt, cell)))
		if err != nil || taken.MatchString(prompt) {
			return err == nil
		}
		_ = browser.Run(ctx, chromedp.Click(chromedp.CSS(fmt.Sprintf(labEditor, cell))),
			chromedp.KeyEvent("\r", chromedp.KeyModifiers(chromedp.ModifierShift)))
		return false
	}, hubtest.Patience, 2*time.Second, "cell %d must run; the page shows: %s", cell, shown{ctx, browser})
}

func writeNotebook(t *testing.T, file string, cells ...string) {
	t.Helper()
	type cell map[string]any
	var list []cell
	for _, source := range cells {
		list = append(list, cell{"cell_type": "code", "source": source, "metadata": cell{}, "outputs": []any{}, "execution_count": nil})
	}
	text, err := json.Marshal(cell{"cells": list, "nbformat": 4, "nbformat_minor": 4, "metadata": cell{
		"kernelspec": cell{"name": "python3", "display_name": "Python 3", "language": "python"}}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, text, 0o644))
}
