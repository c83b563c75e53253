package hubtest

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
)

// Selectors of JupyterHub's own pages, 4.1 to 6.
const (
	hubUserName = chromedp.CSS("#username_input")
	hubPassword = chromedp.CSS("#password_input")
	hubSignedIn = chromedp.CSS("#logout")
	hubServices = chromedp.CSS(`nav a.dropdown-toggle`) // opens the Services menu

	HubSignIn    = chromedp.CSS("#login_submit")                                        // of the login page
	HubMenuEntry = chromedp.CSS(`ul.dropdown-menu a[href*="/services/connect-github"]`) // in the Services menu
	HubConsent   = chromedp.CSS(`form[action=""] [type=submit]`)                        // of the page that asks for consent
	HubStart     = chromedp.CSS("#start")                                               // of the home page
)

// SignIn signs a user in at the Hub, in the first tab, and ends on the Hub's
// home page.
func (b *Browser) SignIn(ctx context.Context, h *Hub, user string) error {
	return b.Run(ctx,
		chromedp.Navigate(h.URL+"hub/login?next="+url.QueryEscape(strings.TrimPrefix(h.URL, origin(h.URL))+"hub/home")),
		chromedp.WaitVisible(hubUserName),
		chromedp.SendKeys(hubUserName, user),
		chromedp.SendKeys(hubPassword, Password),
		chromedp.Click(HubSignIn),
		chromedp.WaitVisible(hubSignedIn),
	)
}

// menuDrawn is how long the Services menu may take to open at a click.
const menuDrawn = 5 * time.Second

// OpenServices opens the Services menu on the Hub's home page, and returns when
// the service's entry is there. A click before the page's script has come is
// lost, so the menu is clicked again where it does not open.
func (b *Browser) OpenServices(ctx context.Context, h *Hub) error {
	if err := b.Run(ctx, chromedp.Navigate(h.URL+"hub/home")); err != nil {
		return err
	}
	for {
		if err := b.Run(ctx, chromedp.Click(hubServices, chromedp.NodeVisible)); err != nil {
			return err
		}
		drawn, cancel := context.WithTimeout(ctx, menuDrawn)
		err := b.Run(drawn, chromedp.WaitVisible(HubMenuEntry))
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
}
