package lab_test

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
)

// Selectors of JupyterLab's notifications.
const (
	warning      = chromedp.CSS(`.Toastify__toast--warning`)
	connectAgain = chromedp.CSS(`.Toastify__toast--warning .jp-toast-button`)
)

// still is true when no notification comes or goes.
const still = `!document.querySelector(".Toastify--animate")`

// The end is warned of 30 and 5 minutes before. From there it takes two clicks in
// JupyterLab, and the approval, to connect again; the token before is revoked.
func TestEndIsWarnedOfInLab(t *testing.T) {
	t.Parallel()
	ctx := hubtest.Context(t)
	p := newPerson(t)
	p.GitHub.SetTokenLife(p.name, 30*time.Minute)
	p.connect(t)
	browser := p.openLab(ctx, t, "lab")
	until(ctx, t, browser.Tab(), statusItem, `^GitHub: ends in 30 min$`)
	until(ctx, t, browser.Tab(), warning, `Your GitHub connection ends in 30 min\.`)

	defer func() {
		if t.Failed() {
			t.Log(shows{t.Context(), browser})
		}
	}()
	again := func(life time.Duration) {
		t.Helper()
		p.GitHub.SetTokenLife(p.name, life)
		_, err := hubtest.Read(ctx, browser.Tab(), chromedp.Poll[bool](still)) // it moves until then
		require.NoError(t, err)
		require.NoError(t, browser.Run(ctx, hubtest.Click(connectAgain)))
		code := until(ctx, t, browser.Tab(), codeText, aCode)
		_, closeTab, err := browser.ClickToTab(ctx, goToGitHub)
		require.NoError(t, err)
		closeTab()
		require.NoError(t, p.GitHub.Approve(code, p.name))
	}
	again(5 * time.Minute)
	until(ctx, t, browser.Tab(), statusItem, `^GitHub: ends in 5 min$`)
	until(ctx, t, browser.Tab(), warning, `Your GitHub connection ends in 5 min\.`)

	again(8 * time.Hour)
	until(ctx, t, browser.Tab(), statusItem, connected)
	require.NoError(t, browser.Run(ctx, chromedp.WaitNotPresent(warning)))
	require.Eventually(t, func() bool {
		states := p.tokens()
		return len(states) == 3 && states[0] == "revoked" && states[1] == "revoked" && states[2] == "live"
	}, hubtest.Patience, 100*time.Millisecond, "%v", p.tokens())
}

// tokens are the states of the person's tokens at GitHub, the oldest first.
func (p *person) tokens() (states []string) {
	for _, token := range p.GitHub.Tokens() {
		if token.Actor == p.name {
			states = append(states, token.State)
		}
	}
	return states
}
