package server_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/server"
)

// webGitHub is the GitHub of the web flow.
type webGitHub struct{}

func (webGitHub) AuthURL(state, _, _, _ string) string {
	return "https://github.com/login/oauth/authorize?state=" + state
}

func (webGitHub) Exchange(_ context.Context, code, _, _ string) (github.Token, error) {
	return github.Token{Access: secret.Store(secret.New("ghu_" + code)), ExpiresAt: time.Now().Add(8 * time.Hour)}, nil
}

// webFlow is a service that offers the web flow, with its scheduler.
func webFlow(t *testing.T) *fixture {
	f := setUp(t, func(f *fixture, o *server.Options) {
		f.change(func(o *flow.Options) { o.WebFlow = webGitHub{} })
		o.WebFlow = true
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); f.engine.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return f
}

var (
	leaveState   = regexp.MustCompile(`authorize\?state=([A-Z0-9]+)`)
	confirmation = regexp.MustCompile(`name="confirmation" value="([^"]+)"`)
	loaded       = map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
)

// approveWeb begins a web flow and returns the address that GitHub sends the
// browser back to.
func (b *browser) approveWeb(code string) string {
	found := leaveState.FindStringSubmatch(read(b.f.t, b.postForm("connect", url.Values{"mode": {"web"}, "server": {""}})))
	require.Len(b.f.t, found, 2)
	return "github_callback?state=" + found[1] + "&code=" + code
}

func (f *fixture) connected(user string) bool {
	record, err := f.users.Load(context.Background(), user)
	require.NoError(f.t, err)
	return record.Connection != nil
}

func TestGitHubCallbackAsksThePersonOnce(t *testing.T) {
	t.Parallel()
	f := webFlow(t)
	ada := f.signIn("ada")
	back := ada.approveWeb("c1")

	fetched := ada.do(http.MethodGet, back, nil, map[string]string{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"})
	require.Equal(t, http.StatusForbidden, fetched.StatusCode, "a script that followed GitHub's redirect")

	page := ada.do(http.MethodGet, back, nil, loaded)
	require.Equal(t, http.StatusOK, page.StatusCode)
	require.Equal(t, "no-store", page.Header.Get("Cache-Control"))
	body := read(t, page)
	require.Contains(t, body, `<dd id="github-account"><bdi>octocat</bdi></dd>`)
	require.Contains(t, body, `<dd id="hub-user"><bdi>ada</bdi></dd>`)
	first := confirmation.FindStringSubmatch(body)[1]
	require.False(t, f.connected("ada"))
	require.Contains(t, read(t, ada.do(http.MethodGet, "", nil, nil)), "One click is missing", "the page in another tab")

	second := confirmation.FindStringSubmatch(read(t, ada.do(http.MethodGet, back, nil, loaded)))[1]
	require.NotEqual(t, first, second, "a reload has a token of its own")
	for _, token := range []string{"", first, "guess"} {
		stale := ada.postForm("confirm", url.Values{"confirmation": {token}})
		require.Equal(t, http.StatusForbidden, stale.StatusCode, token)
		require.Contains(t, read(t, stale), "replaced by a newer one")
	}
	require.False(t, f.connected("ada"))

	require.Equal(t, http.StatusSeeOther, ada.postForm("confirm", url.Values{"confirmation": {second}}).StatusCode)
	require.True(t, f.connected("ada"))
	require.Equal(t, http.StatusSeeOther, ada.postForm("confirm", url.Values{"confirmation": {second}}).StatusCode, "a double click")
	require.Equal(t, http.StatusSeeOther, ada.do(http.MethodGet, back, nil, loaded).StatusCode, "Back, to the page that was")

	again := ada.do(http.MethodGet, ada.approveWeb("c2"), nil, loaded)
	require.Equal(t, http.StatusSeeOther, again.StatusCode, "a person who comes back is not asked")
}

// The click of somebody else, with a token of theirs or of hers, makes no
// connection of anybody's.
func TestConfirmIsOfOneUser(t *testing.T) {
	t.Parallel()
	f := webFlow(t)
	ada, eve := f.signIn("ada"), f.signIn("eve")
	token := func(b *browser, back string) string {
		return confirmation.FindStringSubmatch(read(t, b.do(http.MethodGet, back, nil, loaded)))[1]
	}
	adas, eves := token(ada, ada.approveWeb("c1")), token(eve, eve.approveWeb("c2"))
	require.Equal(t, http.StatusForbidden, eve.postForm("confirm", url.Values{"confirmation": {adas}}).StatusCode)
	require.Equal(t, http.StatusForbidden, ada.postForm("confirm", url.Values{"confirmation": {eves}}).StatusCode)
	require.False(t, f.connected("ada") || f.connected("eve"))
}

func TestConfirmNotYouEndsTheAttempt(t *testing.T) {
	t.Parallel()
	f := webFlow(t)
	ada := f.signIn("ada")
	token := confirmation.FindStringSubmatch(read(t, ada.do(http.MethodGet, ada.approveWeb("c1"), nil, loaded)))[1]
	require.Equal(t, http.StatusSeeOther, ada.postForm("cancel", url.Values{}).StatusCode)
	require.Contains(t, read(t, ada.do(http.MethodGet, "", nil, nil)), `data-state="cancelled"`)
	require.Equal(t, http.StatusSeeOther, ada.postForm("confirm", url.Values{"confirmation": {token}}).StatusCode)
	require.False(t, f.connected("ada"))
}

func TestGitHubCallbackOfAPersonWhoDeclined(t *testing.T) {
	t.Parallel()
	f := webFlow(t)
	ada := f.signIn("ada")
	back, _, _ := strings.Cut(ada.approveWeb("c1"), "&code=")
	require.Equal(t, http.StatusSeeOther, ada.do(http.MethodGet, back+"&error=access_denied", nil, loaded).StatusCode)
	require.Contains(t, read(t, ada.do(http.MethodGet, "", nil, nil)), `data-state="denied"`)
	require.False(t, f.connected("ada"))
}
