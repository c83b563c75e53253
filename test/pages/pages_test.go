package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/web"
	"github.com/ghscoped/ghscoped-service/web/picturebook"
)

// reader is a browser with the picture book open before it.
type reader struct {
	t       *testing.T
	ctx     context.Context
	book    *picturebook.Server
	url     string
	browser *hubtest.Browser
}

func newReader(t *testing.T) *reader {
	t.Helper()
	book, err := picturebook.NewServer(shown)
	require.NoError(t, err)
	server := httptest.NewServer(book)
	t.Cleanup(server.CloseClientConnections)
	r := &reader{t: t, ctx: t.Context(), book: book, url: server.URL, browser: hubtest.NewBrowser(t)}
	require.NoError(t, see(r.ctx, r.browser.Tab(), looks[2]))
	return r
}

func (r *reader) do(steps ...chromedp.Action[chromedp.Void]) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, hubtest.Patience)
	defer cancel()
	require.NoError(r.t, r.browser.Run(ctx, steps...))
}

func (r *reader) open(name string) {
	r.t.Helper()
	r.do(chromedp.Navigate(r.url+"/"+name+"/"), chromedp.WaitVisible(chromedp.CSS("h1")))
}

// until waits for an expression to be true in the page.
func (r *reader) until(expression string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, hubtest.Patience)
	defer cancel()
	_, err := hubtest.Read(ctx, r.browser.Tab(), chromedp.Poll[bool](expression))
	require.NoError(r.t, err, expression)
}

func evaluate[T any](r *reader, expression string) T {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, hubtest.Patience)
	defer cancel()
	value, err := hubtest.Read(ctx, r.browser.Tab(), chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	require.NoError(r.t, err, "%.200s", expression)
	return value
}

func (r *reader) uncomplaining() {
	r.t.Helper()
	for _, c := range r.browser.Complaints(r.url) {
		r.t.Errorf("the browser complains: %s", c)
	}
}

func (r *reader) sample(name string) web.View {
	r.t.Helper()
	for _, s := range r.book.Samples() {
		if s.Name == name {
			return *s.View
		}
	}
	r.t.Fatalf("no sample %s", name)
	return web.View{}
}

// axe is the accessibility checker's source.
func axe(t *testing.T) string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("..", "..", ".demo", "axe", "node_modules", "axe-core", "axe.min.js"))
	require.NoError(t, err, "install it by: demo/install.sh axe")
	return string(source)
}

type violation struct {
	ID    string
	Help  string
	Nodes []struct {
		HTML           string
		FailureSummary string
	}
}

func (r *reader) violations(source string) []violation {
	r.t.Helper()
	found := evaluate[string](r, source+`;axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], resultTypes: ["violations"]})
		.then((found) => JSON.stringify(found.violations))`)
	var all []violation
	require.NoError(r.t, json.Unmarshal([]byte(found), &all))
	return all
}

func TestPageIsAccessibleAndQuietInEveryState(t *testing.T) {
	source := axe(t)
	r := newReader(t)
	for _, l := range []look{{"desk, light", 1280, false}, {"narrow, dark", 320, true}} {
		require.NoError(t, see(r.ctx, r.browser.Tab(), l))
		for _, sample := range r.book.Samples() {
			r.open(sample.Name)
			where := sample.Name + ", " + l.name
			require.False(t, evaluate[bool](r, "Boolean(window.pwned)"), "%s: a name ran as a script", where)
			over := evaluate[int](r, "document.documentElement.scrollWidth - innerWidth")
			require.LessOrEqual(t, over, 0, "%s: wider than the window by %d px", where, over)
			for _, v := range r.violations(source) {
				t.Errorf("%s: %s: %s", where, v.ID, v.Help)
				for _, node := range v.Nodes {
					t.Logf("  %.300s\n  %s", node.HTML, node.FailureSummary)
				}
			}
		}
	}
	r.uncomplaining()
}

func TestAxeSeesWhatItLooksFor(t *testing.T) {
	source := axe(t)
	r := newReader(t)
	r.open("none")
	evaluate[bool](r, `document.querySelector("#connect").replaceChildren(), document.documentElement.removeAttribute("lang"), true`)
	var ids []string
	for _, v := range r.violations(source) {
		ids = append(ids, v.ID)
	}
	require.ElementsMatch(t, []string{"button-name", "html-has-lang"}, ids)
}

func TestPageAtTwiceTheSizeNeedsNoSidewaysScrolling(t *testing.T) {
	r := newReader(t)
	require.NoError(t, see(r.ctx, r.browser.Tab(), look{"zoomed", 640, false}))
	for _, sample := range r.book.Samples() {
		r.open(sample.Name)
		over := evaluate[int](r, `document.documentElement.style.fontSize = "200%", document.documentElement.scrollWidth - innerWidth`)
		require.LessOrEqual(t, over, 0, sample.Name)
	}
}

func TestPageShowsHostileNamesAsTheyAre(t *testing.T) {
	r := newReader(t)
	r.open("hostile")
	text := evaluate[string](r, `document.querySelector("#account-title").textContent`)
	require.True(t, strings.HasPrefix(text, picturebook.Hostile), text)
	require.Equal(t, picturebook.Hostile, evaluate[string](r, `document.querySelector("#servers li").dataset.server`))
	require.Zero(t, evaluate[int](r, `document.querySelectorAll("main img, main script").length`))
	require.NotContains(t, evaluate[string](r, `document.querySelector("#servers a").href`), "javascript")
	r.uncomplaining()
}

func TestPageFollowsByItself(t *testing.T) {
	r := newReader(t)
	r.open("none")
	r.until(`document.querySelector("#state").dataset.state === "none"`)

	r.book.Show("none", r.sample("pending"))
	r.until(`document.querySelector("#state").dataset.state === "pending"`)
	require.Equal(t, "WDJB-MJHT", evaluate[string](r, `document.querySelector("#user-code").textContent`))
	require.Contains(t, evaluate[string](r, `document.title`), "Enter this code")
	r.until(`document.querySelector("#announcer").textContent.startsWith("Enter this code")`)
	require.Equal(t, picturebook.CSRF, evaluate[string](r, `document.querySelector("#cancel").form.elements.csrf.value`),
		"a swapped form works as a plain one too")

	before := evaluate[string](r, `document.querySelector("#state [role=timer]").textContent`)
	r.until(fmt.Sprintf(`document.querySelector("#state [role=timer]").textContent !== %q`, before))

	r.book.Show("none", r.sample("connected"))
	r.until(`document.querySelector("#state").dataset.state === "connected"`)
	r.until(`document.querySelector("#announcer").textContent.includes("Default server: Ready")`)
	r.uncomplaining()
}

func TestPageReplacesNothingWhileNothingChanges(t *testing.T) {
	r := newReader(t)
	r.open("pending")
	const read = `performance.getEntriesByType("resource").filter((entry) => entry.name.endsWith("/fragment")).length`
	evaluate[bool](r, `window.swaps = 0, new MutationObserver(() => swaps++).observe(document.querySelector("#main"), {childList: true}), true`)
	r.until(read + ` > 0`) // as the page does when it begins to follow
	before := evaluate[int](r, read)
	r.book.Show("none", r.sample("denied")) // wakes all pages, says nothing new to this one
	r.until(fmt.Sprintf(`%s > %d`, read, before))
	r.book.Show("pending", r.sample("pending-trouble")) // is read when that is done with
	r.until(`document.querySelector("#state .notice") !== null`)
	require.Equal(t, 1, evaluate[int](r, `swaps`))
}

func TestScriptSendsAFormWithTheToken(t *testing.T) {
	r := newReader(t)
	r.book.Answer(func(q picturebook.Request) (int, string) {
		if q.Path == "/none/api/flows" {
			r.book.Show("none", r.sample("pending"))
			return 201, "{}"
		}
		return 0, ""
	})
	r.open("none")
	r.do(chromedp.Click(chromedp.CSS("#connect")), chromedp.WaitVisible(chromedp.CSS("#user-code")))
	require.Equal(t, []picturebook.Request{{
		Method: "POST", Path: "/none/api/flows", CSRF: picturebook.CSRF, Body: `{"mode":"device","servers":[""]}`,
	}}, r.book.Requests())
	r.until(`document.activeElement.id === "open-github"`)

	r.book.Show("none", r.sample("connected-servers"))
	r.do(chromedp.Click(chromedp.CSS(`#servers [data-server=teaching] button`)))
	r.until(`!document.querySelector("[aria-busy]")`)
	r.do(chromedp.Click(chromedp.CSS(`#disconnect`)), chromedp.WaitVisible(chromedp.CSS("#confirm-disconnect")),
		chromedp.Click(chromedp.CSS(`#confirm-disconnect`)))
	r.until(`!document.querySelector("[aria-busy]")`)
	require.Equal(t, []picturebook.Request{
		{Method: "POST", Path: "/none/api/deliveries", CSRF: picturebook.CSRF, Body: `{"server":"teaching","start":true}`},
		{Method: "DELETE", Path: "/none/api/connection", CSRF: picturebook.CSRF},
	}, r.book.Requests()[1:])
	r.uncomplaining()
}

func TestScriptSaysARefusal(t *testing.T) {
	r := newReader(t)
	r.book.Answer(func(picturebook.Request) (int, string) {
		return 409, `{"error":{"code":"x","message":"Not <b>now</b>.","hint":"Later."}}`
	})
	r.open("none")
	r.do(chromedp.Click(chromedp.CSS("#connect")), chromedp.WaitVisible(chromedp.CSS("#problem")))
	require.Equal(t, "Not <b>now</b>. Later.", evaluate[string](r, `document.querySelector("#problem").textContent`))
}

func TestFormsWorkWithoutTheScript(t *testing.T) {
	r := newReader(t)
	_, err := chromedp.Call(r.browser.Tab(), emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	require.NoError(t, err)
	for name, clicks := range map[string][]chromedp.CSS{
		"none":      {"#connect"},
		"none-web":  {"#connect"},
		"pending":   {"#cancel"},
		"connected": {"#disconnect", "#confirm-disconnect"},
	} {
		r.open(name)
		before := len(r.book.Requests())
		for _, selector := range clicks[:len(clicks)-1] {
			r.do(chromedp.Click(selector))
		}
		_, err := chromedp.RunResponse(r.browser.Tab(), chromedp.Click(clicks[len(clicks)-1]))
		require.NoError(t, err, name)
		require.Len(t, r.book.Requests(), before+1, name)
		sent := r.book.Requests()[before]
		require.Contains(t, sent.Body, "csrf="+picturebook.CSRF, name)
		require.NotContains(t, sent.Path, "/api/", name)
	}
	require.Contains(t, r.book.Requests()[0].Body+r.book.Requests()[1].Body+r.book.Requests()[2].Body+r.book.Requests()[3].Body, "mode=web")

	r.open("pending")
	r.book.Show("pending", r.sample("connected"))
	r.do(chromedp.WaitReady(chromedp.CSS(`#state[data-state=connected]`))) // by the page's own refresh
	r.uncomplaining()
}

func TestOneClickCopiesTheCodeAndOpensGitHub(t *testing.T) {
	r := newReader(t)
	r.open("pending")
	r.until(`document.activeElement.id === "open-github"`) // as the browser does for a document
	// The answer goes after three seconds, in which a busy machine may look
	// nowhere: the page itself notes what the button says, and what was copied.
	evaluate[bool](r, `((link) => {
		window.said = [];
		new MutationObserver(() => said.push(link.innerText.replace(/\s+/g, " ").trim())).observe(link, {childList: true});
		addEventListener("copy", (event) => { window.copied = event.clipboardData.getData("text/plain"); });
		return true;
	})(document.querySelector("#open-github"))`)
	require.Equal(t, "Copy code and open GitHub (opens in a new tab)", evaluate[string](r, `document.querySelector("#open-github").innerText.replace(/\s+/g, " ").trim()`))
	opened := chromedp.WaitNewTarget(r.browser.Tab(), func(info *target.Info) bool {
		return info.Type == "page" && (info.URL == "https://github.com/login/device" || strings.HasPrefix(info.URL, "chrome-error:"))
	})
	r.do(chromedp.KeyEvent(kb.Enter)) // the button has the focus
	select {
	case <-opened:
	case <-time.After(hubtest.Patience):
		require.Fail(t, "no tab was opened")
	}
	r.toFront() // from the new tab
	r.until(`said.length === 2`)
	require.Equal(t, []string{"Copied", "Copy code and open GitHub (opens in a new tab)"}, evaluate[[]string](r, `said`))
	require.Equal(t, "WDJB-MJHT", evaluate[string](r, `copied`))
	link := evaluate[[]string](r, `(({target, rel, href}) => [target, rel, href])(document.querySelector("#open-github"))`)
	require.Equal(t, []string{"_blank", "noopener", "https://github.com/login/device"}, link)
	r.uncomplaining()
}

// A browser that copies nothing for a page leaves the code to the person, and the link
// a link.
func TestCodeThatCannotBeCopiedCanBeSelectedAndTheLinkRemains(t *testing.T) {
	for name, c := range map[string]struct{ clipboard, says string }{
		"no clipboard, as over plain http": {`undefined`, "Select it and press Ctrl+C"},
		"one that refuses":                 {`{writeText: () => Promise.reject(new Error("no"))}`, "Select it and press Ctrl+C"},
		"one that does":                    {`{writeText: async (text) => { window.copied = text; }}`, "Copied"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReader(t)
			r.open("pending")
			evaluate[bool](r, `(() => {
				document.execCommand = () => false;
				Object.defineProperty(navigator, "clipboard", {value: `+c.clipboard+`});
				window.followed = 0;
				document.addEventListener("click", (event) => { if (!event.defaultPrevented) followed++; event.preventDefault(); });
				return true;
			})()`)
			r.do(chromedp.Click(chromedp.CSS("#open-github")))
			r.until(fmt.Sprintf(`document.querySelector("#open-github").innerText === %q`, c.says))
			require.Zero(t, evaluate[int](r, `followed`), "nobody is sent away without the code")
			require.Equal(t, "WDJB-MJHT", evaluate[string](r, `getSelection().toString().replace(/\s/g, "")`))
			r.until(`document.querySelector("#open-github").innerText.startsWith("Open GitHub")`)
			r.do(chromedp.Click(chromedp.CSS("#open-github")))
			require.Equal(t, 1, evaluate[int](r, `followed`))
			r.uncomplaining()
		})
	}
}

func TestThemeFollowsTheSystemAndTheHubsToggle(t *testing.T) {
	r := newReader(t)
	background := `getComputedStyle(document.body).backgroundColor`
	const light, dark = "rgb(255, 255, 255)", "rgb(33, 37, 41)"
	require.NoError(t, see(r.ctx, r.browser.Tab(), look{"", 1024, true}))
	r.open("none")
	require.Equal(t, dark, evaluate[string](r, background), "the system's setting")
	evaluate[bool](r, `localStorage.setItem("jupyterhub-bs-theme", "light"), true`)
	r.open("none")
	require.Equal(t, light, evaluate[string](r, background), "the Hub's toggle wins")
	r.do(chromedp.Click(chromedp.CSS("#dark-theme-toggle")))
	require.Equal(t, dark, evaluate[string](r, background))
	require.Equal(t, "dark", evaluate[string](r, `localStorage.getItem("jupyterhub-bs-theme")`), "the Hub's pages follow ours")
}

func TestFilterFindsRepositoriesAndLastsThroughASwap(t *testing.T) {
	r := newReader(t)
	r.open("connected-many")
	r.do(chromedp.SendKeys(chromedp.CSS("#filter"), "babbage-lab/dataset-of-1815"))
	visible := `[...document.querySelectorAll("#repositories li")].filter((li) => li.checkVisibility()).map((li) => li.textContent.trim()).join()`
	want := "dataset-of-1815-037,dataset-of-1815-074,dataset-of-1815-000"
	r.until(visible + ` === "` + want + `"`)
	require.Equal(t, "3 found", evaluate[string](r, `document.querySelector("#repositories output").textContent`))

	changed := r.sample("connected-many")
	changed.Servers[0].State = web.ServerQueued
	r.book.Show("connected-many", changed)
	r.until(`document.querySelector("#servers li").dataset.state === "queued"`)
	require.Equal(t, want, evaluate[string](r, visible))
	require.Equal(t, "filter", evaluate[string](r, `document.activeElement.id`), "whoever types goes on typing")
	r.uncomplaining()
}

func TestLanguageIsGermanForWhoPrefersIt(t *testing.T) {
	r := newReader(t)
	_, err := chromedp.Call(r.browser.Tab(), network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": json.RawMessage(`"de-AT,de;q=0.9,en;q=0.5"`)}})
	require.NoError(t, err)
	r.open("connected")
	require.Equal(t, "de", evaluate[string](r, `document.documentElement.lang`))
	require.Contains(t, evaluate[string](r, `document.querySelector(".left").textContent`), "Std.")
	require.Equal(t, "17:13", evaluate[string](r, `document.querySelector("#expires time").textContent`))
}

func TestConnectedNamesAnEndAfterMidnightByTheDay(t *testing.T) {
	r := newReader(t)
	r.open("connected")
	late := r.sample("connected")
	late.Connection.ExpiresAt = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	r.book.Show("connected", late)
	r.until(`document.querySelector("#expires time").textContent.replace(/\s/g, " ") === "tomorrow, 12:00 AM"`)
	r.uncomplaining()
}

func TestConnectedSaysBeforeTheEndThatItEndsSoon(t *testing.T) {
	r := newReader(t)
	near := r.sample("connected")
	near.Connection.ExpiresAt = near.Now.Add(30*time.Minute + 2*time.Second)
	r.book.Show("connected", near)
	r.open("connected")
	require.Equal(t, "/hub/static/favicon.ico", evaluate[string](r, `document.querySelector("#icon").getAttribute("href")`))
	require.Equal(t, "Connected to GitHub", evaluate[string](r, `document.querySelector("h1").textContent`))
	near = r.sample("connected")
	near.Connection.ExpiresAt = near.Now.Add(30 * time.Minute)
	r.book.Show("connected", near)
	r.until(`document.title.startsWith("Your GitHub access ends soon") && document.querySelector("#renew").classList.contains("primary")`)
	r.until(`document.querySelector("#icon").getAttribute("href").includes("/static/soon.")`)
	require.Equal(t, 200, evaluate[int](r, `fetch(document.querySelector("#icon").href).then((answer) => answer.status)`))
	r.uncomplaining()
}

// toFront shows the reader's tab.
func (r *reader) toFront() {
	r.t.Helper()
	_, err := chromedp.Call(r.browser.Tab(), page.BringToFront, cdp.Empty{})
	require.NoError(r.t, err)
}

// fragments are the addresses of what the page has read.
const fragments = `performance.getEntriesByType("resource").map((entry) => entry.name).filter((name) => name.includes("/fragment"))`

func TestComingBackFromGitHubHasTheServiceLookThere(t *testing.T) {
	r := newReader(t)
	r.open("connected")
	r.until(fragments + `.length > 0`)
	// comesBack has the person look at another tab and come back; a window's own word for
	// that is what the script listens to.
	comesBack := func() {
		before := evaluate[int](r, fragments+`.length`)
		evaluate[bool](r, `(() => {
			const seen = (hidden) => { Object.defineProperty(document, "hidden", {value: hidden, configurable: true}); document.dispatchEvent(new Event("visibilitychange")); };
			seen(true);
			seen(false);
			return true;
		})()`)
		r.until(fmt.Sprintf(fragments+`.length > %d`, before))
	}
	looks := func() int { return evaluate[int](r, fragments+`.filter((name) => name.endsWith("?back")).length`) }
	comesBack()
	require.Zero(t, looks(), "from somewhere else")

	evaluate[bool](r, `document.addEventListener("click", (event) => event.preventDefault()), true`) // there is no GitHub here
	r.do(chromedp.Click(chromedp.CSS("#repositories > p > a[target=_blank]")))
	require.Zero(t, looks(), "not before they are back")
	comesBack()
	r.until(fragments + `.some((name) => name.endsWith("?back"))`)
	require.Equal(t, 1, looks())
	evaluate[bool](r, `dispatchEvent(new Event("focus")), true`) // a window beside it
	r.until(fragments + `.filter((name) => name.endsWith("?back")).length === 2`)

	changed := r.sample("connected")
	changed.Connection.Repositories = append(changed.Connection.Repositories, web.Repository{FullName: "ada-lovelace/fresh", Push: true})
	r.book.Show("connected", changed)
	r.until(`document.querySelector("#repositories").textContent.includes("fresh")`)
	r.uncomplaining()
}

func TestSessionThatEndsHasThePageLoadedAgain(t *testing.T) {
	r := newReader(t)
	r.open("connected")
	r.until(fragments + `.length > 0`)
	evaluate[bool](r, `window.first = true`)
	r.book.SignOut("connected", true)
	r.book.Show("connected", r.sample("expired-access"))
	// The page of a session that is over is loaded again, which is where whoever is signed in at the Hub gets another.
	r.do(chromedp.WaitReady(chromedp.CSS(`#state[data-state=expired]`)))
	require.False(t, evaluate[bool](r, `Boolean(window.first)`))
	r.until(`!document.querySelector("#signed-out").hidden`) // once: the new one reads nothing either
	require.Contains(t, evaluate[string](r, `document.querySelector("#signed-out").innerText`), "Your session on this page has ended.")
	r.book.SignOut("connected", false)
	r.book.Show("connected", r.sample("denied"))
	r.do(chromedp.Click(chromedp.CSS("#signed-out a")), chromedp.WaitReady(chromedp.CSS(`#state[data-state=denied]`)))
	require.True(t, evaluate[bool](r, `document.querySelector("#signed-out").hidden`))
}
