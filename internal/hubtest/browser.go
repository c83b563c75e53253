package hubtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// Browser is a Chromium with a fresh profile that reaches loopback only. It
// keeps what the pages complained of.
type Browser struct {
	ctx    context.Context // of the first tab
	cancel func()

	mu         sync.Mutex
	complaints []Complaint
}

// Complaint is one thing a page did wrong.
type Complaint struct {
	Kind string // "console", "csp", or "foreign": a request beyond loopback
	Page string // address of the tab's document at that time
	Text string
}

func (c Complaint) String() string { return fmt.Sprintf("%s: %s (on %s)", c.Kind, c.Text, c.Page) }

// NewBrowser starts a Chromium for a test and ends it at the test's end.
func NewBrowser(t testing.TB, extra ...chromedp.ExecAllocatorOption) *Browser {
	t.Helper()
	b, err := StartBrowser(t.Context(), extra...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	return b
}

// StartBrowser starts a Chromium with one tab. It ends with Stop or with ctx.
func StartBrowser(ctx context.Context, extra ...chromedp.ExecAllocatorOption) (*Browser, error) {
	path, err := chromium()
	if err != nil {
		return nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.DisableGPU,
		chromedp.WindowSize(1280, 900),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("no-pings", true),
		// No name but these resolves, and addresses count as names.
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE *.localhost"),
		chromedp.Flag("no-proxy-server", true),
	)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, cancelAllocator := chromedp.NewExecAllocator(ctx, append(options, extra...)...)
	tab, cancelTab := chromedp.NewContext(allocator)
	b := &Browser{ctx: tab, cancel: func() { cancelTab(); cancelAllocator() }}
	if err := b.watch(tab); err != nil {
		b.Stop()
		return nil, fmt.Errorf("hubtest: %s: %w", path, err)
	}
	return b, nil
}

func chromium() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("hubtest: no chromium, chromium-browser or google-chrome: run demo/install.sh system")
}

// Stop ends Chromium and removes its profile.
func (b *Browser) Stop() { b.cancel() }

// Tab is the context of the first tab.
func (b *Browser) Tab() context.Context { return b.ctx }

// Run does steps in the first tab, until ctx ends.
func (b *Browser) Run(ctx context.Context, steps ...chromedp.Action[chromedp.Void]) error {
	return RunIn(ctx, b.ctx, steps...)
}

// Text waits for an element of the first tab to be visible and reads its text.
func (b *Browser) Text(ctx context.Context, selector chromedp.CSS) (string, error) {
	return Read(ctx, b.ctx, chromedp.Text(selector, chromedp.NodeVisible))
}

// RunIn does steps in a tab, until ctx ends.
func RunIn(ctx, tab context.Context, steps ...chromedp.Action[chromedp.Void]) error {
	_, err := Read(ctx, tab, chromedp.Steps(steps...))
	return err
}

// Read does one action in a tab, until ctx ends, and returns its value. Where
// it fails, the error says what the tab showed.
func Read[T any](ctx, tab context.Context, action chromedp.Action[T]) (T, error) {
	run, cancel := context.WithCancel(tab)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	value, err := chromedp.Run(run, action)
	if err == nil {
		return value, nil
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return value, fmt.Errorf("hubtest: browser: %s%w", seen(tab), err)
}

// seen says what the tab shows, for an error message: its address and the
// beginning of its text.
func seen(tab context.Context) string {
	ctx, cancel := context.WithTimeout(tab, 5*time.Second)
	defer cancel()
	show := "location.href + ' showing \"' + (document.body?.innerText ?? '').replace(/\\s+/g, ' ').slice(0, 500) + '\"'"
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](show))
	if err != nil {
		return ""
	}
	return "on " + text + ": "
}

// OpenTab opens a second tab with the same profile.
func (b *Browser) OpenTab() (tab context.Context, closeTab func(), err error) {
	tab, closeTab = chromedp.NewContext(b.ctx)
	if err := b.watch(tab); err != nil {
		closeTab()
		return nil, nil, fmt.Errorf("hubtest: new tab: %w", err)
	}
	return tab, closeTab, nil
}

// ClickToTab clicks what opens a new tab, and returns that tab.
func (b *Browser) ClickToTab(ctx context.Context, selector chromedp.CSS) (tab context.Context, closeTab func(), err error) {
	opened := chromedp.WaitNewTarget(b.ctx, func(info *target.Info) bool { return info.Type == "page" && info.URL != "" })
	if err := b.Run(ctx, chromedp.Click(selector)); err != nil {
		return nil, nil, err
	}
	select {
	case id := <-opened:
		tab, closeTab = chromedp.NewContext(b.ctx, chromedp.WithTargetID(id))
	case <-ctx.Done():
		return nil, nil, fmt.Errorf("%s opened no tab: %w", selector, ctx.Err())
	}
	if err := b.watch(tab); err != nil {
		closeTab()
		return nil, nil, fmt.Errorf("hubtest: new tab: %w", err)
	}
	return tab, closeTab, nil
}

// Complaints are the complaints so far about pages whose address begins with
// prefix, and every request beyond loopback.
func (b *Browser) Complaints(prefix string) []Complaint {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []Complaint
	for _, c := range b.complaints {
		if c.Kind == "foreign" || strings.HasPrefix(c.Page, prefix) {
			list = append(list, c)
		}
	}
	return list
}

// watch starts the tab and the collection of its complaints.
func (b *Browser) watch(tab context.Context) error {
	var address string // of the document; touched by the listener only
	err := chromedp.Listen(tab, func(event any) {
		switch e := event.(type) {
		case *page.EventFrameNavigated:
			if e.Frame.ParentID == "" {
				address = e.Frame.URL
			}
		case *network.EventRequestWillBeSent:
			if e.Type == network.ResourceTypeDocument && e.FrameID == cdp.FrameID(chromedp.FromContext(tab).Target.TargetID) {
				address = e.Request.URL
			}
			if !loopback(e.Request.URL) {
				b.complain("foreign", address, e.Request.URL)
			}
		default:
			if kind, text := complaintOf(event); kind != "" {
				b.complain(kind, address, text)
			}
		}
	})
	if err != nil {
		return err
	}
	_, networkErr := chromedp.Call(tab, network.Enable, network.EnableParams{})
	_, logErr := chromedp.Call(tab, log.Enable, cdp.Empty{})
	_, auditsErr := chromedp.Call(tab, audits.Enable, cdp.Empty{})
	return errors.Join(networkErr, logErr, auditsErr)
}

func (b *Browser) complain(kind, page, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.complaints = append(b.complaints, Complaint{kind, page, text})
}

// complaintOf reads an event of the browser; kind is empty where it is none.
func complaintOf(event any) (kind, text string) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text = e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		return "console", text
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError {
			var words []string
			for _, arg := range e.Args {
				words = append(words, string(arg.Value)+arg.Description)
			}
			return "console", strings.Join(words, " ")
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			return "console", e.Entry.Text + " " + e.Entry.URL
		}
	case *audits.EventIssueAdded:
		if csp := e.Issue.Details.ContentSecurityPolicyIssueDetails; csp != nil {
			return "csp", fmt.Sprintf("%s refuses %s%s", csp.ViolatedDirective, csp.ContentSecurityPolicyViolationType, " "+csp.BlockedURL)
		}
	}
	return "", ""
}

// loopback says whether a request stays on this machine (or in the browser).
func loopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	switch u.Scheme {
	case "http", "https", "ws", "wss", "ftp":
	default:
		return true // data:, blob:, about:, chrome:
	}
	host := u.Hostname()
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || (ip != nil && ip.IsLoopback())
}

// Selectors of JupyterHub's own pages, 4.1 to 6.
const (
	hubUserName = chromedp.CSS("#username_input")
	hubPassword = chromedp.CSS("#password_input")
	hubSignIn   = chromedp.CSS("#login_submit")
	hubSignedIn = chromedp.CSS("#logout")

	HubServices  = chromedp.CSS(`nav a.dropdown-toggle`)                                // opens the Services menu
	HubMenuEntry = chromedp.CSS(`ul.dropdown-menu a[href*="/services/connect-github"]`) // in that menu
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
		chromedp.SendKeys(hubPassword, h.Password),
		chromedp.Click(hubSignIn),
		chromedp.WaitVisible(hubSignedIn),
	)
}

// origin is the scheme and host of an address.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
