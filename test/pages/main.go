package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/test/picture"
	"github.com/ghscoped/ghscoped-service/web/picturebook"
)

// shown is the time at which all pictures are taken, so that they stay the same.
var shown = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)

// look is one way to see a page.
type look struct {
	name  string
	width int64
	dark  bool
}

var looks = []look{
	{"phone", 360, false}, {"phone-dark", 360, true},
	{"desktop", 1024, false}, {"desktop-dark", 1024, true},
}

func main() {
	folder := filepath.Join("docs", "pages")
	if len(os.Args) > 1 {
		folder = os.Args[1]
	}
	if err := takeAll(context.Background(), folder); err != nil {
		fmt.Fprintln(os.Stderr, "pages:", err)
		os.Exit(1)
	}
}

func takeAll(ctx context.Context, folder string) error {
	book, err := picturebook.NewServer(shown)
	if err != nil {
		return err
	}
	server := httptest.NewServer(book)
	// Not Close, which would wait for the pages' open event streams.
	defer server.CloseClientConnections()
	browser, err := hubtest.StartBrowser(ctx)
	if err != nil {
		return err
	}
	defer browser.Stop()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	// What the hostile samples do to a browser is the tests' matter.
	samples := slices.DeleteFunc(book.Samples(), func(s picturebook.Sample) bool { return strings.HasPrefix(s.Name, "hostile") })
	var size int
	for _, sample := range samples {
		for _, l := range looks {
			file, err := take(ctx, browser, server.URL+"/"+sample.Name+"/", l)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", sample.Name, l.name, err)
			}
			if err := os.WriteFile(filepath.Join(folder, sample.Name+"-"+l.name+".png"), file, 0o644); err != nil {
				return err
			}
			size += len(file)
		}
	}
	fmt.Printf("%d pictures, %d kB, in %s\n", len(samples)*len(looks), size/1000, folder)
	return os.WriteFile(filepath.Join(folder, "README.md"), index(samples), 0o644)
}

// take makes one picture of a whole page.
func take(ctx context.Context, browser *hubtest.Browser, address string, l look) ([]byte, error) {
	if err := see(ctx, browser.Tab(), l); err != nil {
		return nil, err
	}
	if err := browser.Run(ctx, chromedp.Navigate(address), chromedp.WaitVisible(chromedp.CSS("h1"))); err != nil {
		return nil, err
	}
	height, err := hubtest.Read(ctx, browser.Tab(), chromedp.Evaluate[float64]("document.documentElement.getBoundingClientRect().height"))
	if err != nil {
		return nil, err
	}
	shot, err := picture.Take(browser.Tab(), page.Viewport{Width: float64(l.width), Height: min(height, 2_400), Scale: 1})
	if err != nil {
		return nil, err
	}
	return picture.PNG(shot)
}

// see sets the browser to a look: its size, the system's colours, no motion,
// and a time zone that is the same everywhere.
func see(ctx context.Context, tab context.Context, l look) error {
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	if err := hubtest.RunIn(ctx, tab, chromedp.EmulateViewport(l.width, 640)); err != nil {
		return err
	}
	_, err := chromedp.Call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
	if err != nil {
		return err
	}
	_, err = chromedp.Call(tab, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "UTC"})
	return err
}

// index lists the pictures for a reader of the repository.
func index(samples []picturebook.Sample) []byte {
	var b bytes.Buffer
	b.WriteString("# The page in all its states\n\nTaken by `make pages`, without a Hub; the names and the logo are samples.\n")
	for _, s := range samples {
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n\n", s.Name, strings.ToUpper(s.Says[:1])+s.Says[1:])
		for _, l := range looks {
			fmt.Fprintf(&b, "![%s, %s](%s-%s.png) ", s.Name, strings.ReplaceAll(l.name, "-", ", "), s.Name, l.name)
		}
		b.WriteString("\n")
	}
	return b.Bytes()
}
