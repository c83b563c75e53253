package hubtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto"
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
		chromedp.WSURLReadTimeout(Patience),
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

// lostClick is how long a click may take to open its tab. A page that draws
// itself again may lose one.
const lostClick = 15 * time.Second

// ClickToTab clicks what opens a new tab, again where no tab comes of it, and
// returns that tab.
func (b *Browser) ClickToTab(ctx context.Context, selector chromedp.CSS) (tab context.Context, closeTab func(), err error) {
	opened := chromedp.WaitNewTarget(b.ctx, func(info *target.Info) bool { return info.Type == "page" && info.URL != "" })
	for tab == nil {
		if err := b.Run(ctx, chromedp.Click(selector)); err != nil {
			return nil, nil, err
		}
		select {
		case id := <-opened:
			tab, closeTab = chromedp.NewContext(b.ctx, chromedp.WithTargetID(id))
		case <-time.After(lostClick):
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("%s opened no tab: %w", selector, ctx.Err())
		}
	}
	if err := b.watch(tab); err != nil {
		closeTab()
		return nil, nil, fmt.Errorf("hubtest: new tab: %w", err)
	}
	return tab, closeTab, nil
}

// Click clicks on what is visible. The page replaces its content when a flow moves
// on, maybe between the look for an element and the click on it; then Click looks
// again.
func Click(selector chromedp.CSS) chromedp.Action[chromedp.Void] {
	click := chromedp.Click(selector, chromedp.NodeVisible)
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		for {
			_, err := click(ctx, t)
			if refused, ok := errors.AsType[*cdproto.Error](err); !ok || refused.Code != noSuchNode {
				return chromedp.Void{}, err
			}
		}
	}
}

// retryClick is after how long a click that has shown nothing is made again.
const retryClick = 20 * time.Second

// ClickUntil clicks on what is visible until that shows a sign. JupyterLab draws parts
// of itself again after they can be seen, and a click in between is lost.
func ClickUntil(selector, sign chromedp.CSS) chromedp.Action[chromedp.Void] {
	click, shown := Click(selector), chromedp.WaitVisible(sign)
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		for {
			if _, err := click(ctx, t); err != nil {
				return chromedp.Void{}, err
			}
			waiting, cancel := context.WithTimeout(ctx, retryClick)
			_, err := shown(waiting, t)
			cancel()
			if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
				return chromedp.Void{}, err
			}
		}
	}
}

// noSuchNode is how Chromium refuses to act on a node that is no longer in the page.
const noSuchNode = -32000
