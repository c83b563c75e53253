package journey

import (
	"context"

	"github.com/chromedp/chromedp"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
)

// EnterCode signs an account in at GitHub, in the tab that a link to it has
// opened, and enters the code; GitHub then asks whether to authorize the App.
func EnterCode(ctx, tab context.Context, account, code string) error {
	return hubtest.RunIn(ctx, tab,
		chromedp.Click(SimSignIn(account), chromedp.NodeVisible),
		chromedp.WaitVisible(simContinue),
		chromedp.SendKeys(simCode, code),
		chromedp.Click(simContinue),
		chromedp.WaitVisible(SimAuthorize),
	)
}

// Authorize answers that question with yes.
func Authorize(ctx, tab context.Context) error {
	return hubtest.RunIn(ctx, tab, chromedp.Click(SimAuthorize), chromedp.WaitVisible(simDone))
}
