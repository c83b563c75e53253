package e2e_test

import (
	"bytes"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/hubtest/journey"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

func TestJourneyConnectsPushesAndDisconnects(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubtest.Options{})
	ctx := hubtest.Context(t)
	gitconfig := filepath.Join(w.Hub.Home("ada"), ".gitconfig")
	require.NoFileExists(t, gitconfig, "an empty home")

	browser := hubtest.NewBrowser(t)
	j := w.travel(t, browser)
	page, err := hubtest.Read(ctx, browser.Tab(), chromedp.OuterHTML(chromedp.CSS("html")))
	require.NoError(t, err)

	token := w.onlyToken(t)
	credential := w.CredentialFile("ada")
	t.Run("the token is in the credential file and nowhere else", func(t *testing.T) {
		w.requireSecretOnlyIn(t, token.Token, page, credential)
		require.NoFileExists(t, filepath.Join(w.Hub.Home("ada"), ".git-credentials"), "no other helper got a copy")
	})
	t.Run("the pushes are what was chosen", func(t *testing.T) {
		for _, push := range w.GitHub.Stats().Pushes {
			require.Equal(t, push.Repository == chosen, push.Accepted, push.Repository)
		}
	})
	t.Run("disconnecting undoes everything", func(t *testing.T) {
		require.NoError(t, j.Leave(ctx))
		require.Eventually(t, func() bool {
			_, err := os.Stat(credential)
			_, configErr := os.Stat(gitconfig)
			return os.IsNotExist(err) && os.IsNotExist(configErr) && rig.TokenState(w.GitHub, token.SHA256) == "revoked"
		}, hubtest.Patience, 50*time.Millisecond, "file, git configuration and token")
	})
	require.Empty(t, browser.Complaints(w.Hub.ServiceURL))
}

func TestServiceTokenMayDoNothingAtTheHub(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubtest.Options{})
	ctx := hubtest.Context(t)
	server := w.StartServer(t, "ada", "")
	for _, call := range []struct{ method, path string }{
		{http.MethodGet, "/users"}, {http.MethodGet, "/users/ada"}, {http.MethodPost, "/users/ada/server"},
		{http.MethodDelete, "/users/ada/server"}, {http.MethodPost, "/users/ada/tokens"},
	} {
		status, err := w.Hub.API(ctx, w.Hub.ServiceToken, call.method, call.path, nil, nil)
		require.NoError(t, err)
		require.Contains(t, []int{http.StatusForbidden, http.StatusNotFound}, status, "%s %s", call.method, call.path)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server+"api/status", nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "token "+w.Hub.ServiceToken)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusForbidden, response.StatusCode, "the user's own server")
}

// polls are those that the simulator counted for a code.
func (w *world) polls(userCode string) githubsim.DevicePolls {
	for _, polls := range w.GitHub.Stats().DeviceCodes {
		if polls.UserCode == userCode {
			return polls
		}
	}
	return githubsim.DevicePolls{}
}

func TestPollOncePerInterval(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubtest.Options{})
	ada := w.Visit(t, "ada")
	// The third poll is told to slow down; from then on the interval is 6 s (RFC
	// 8628, 3.5: at least five seconds more).
	_, err := w.GitHub.Fault(githubsim.Fault{
		Endpoint: "POST /login/oauth/access_token", Kind: "status", Skip: 2, Times: 1, Status: http.StatusOK,
		Header: map[string]string{"Content-Type": "application/json"}, Body: `{"error":"slow_down","interval":3}`,
	})
	require.NoError(t, err)
	flow := rig.Begin(t, ada)
	require.Eventually(t, func() bool { return w.polls(flow.UserCode).Polls == 4 }, hubtest.Patience, 20*time.Millisecond)
	elapsed := time.Since(w.polls(flow.UserCode).IssuedAt)
	require.NoError(t, w.GitHub.Approve(flow.UserCode, "octocat"))
	rig.UntilFlow(t, ada, "connected")

	polls := w.polls(flow.UserCode)
	require.Zero(t, polls.TooEarly)
	require.GreaterOrEqual(t, polls.MinDistance, interval)
	require.GreaterOrEqual(t, elapsed, 3*interval+6*time.Second, "three polls at 1 s, then one at 6 s")
	require.Equal(t, 5, polls.Polls, "and one that found the approval")
}

func TestFlowOfAnotherUserIsNotThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubtest.Options{Users: []string{"eve"}})
	ada := w.Visit(t, "ada")
	eve := w.Visit(t, "eve")
	rig.Begin(t, ada)
	for _, route := range []struct{ method, path string }{
		{http.MethodGet, "api/flows/current"}, {http.MethodDelete, "api/flows/current"},
		{http.MethodGet, "api/connection"}, {http.MethodDelete, "api/connection"}, {http.MethodPost, "api/deliveries"},
	} {
		require.Equal(t, http.StatusNotFound, rig.Call(t, eve, route.method, route.path, nil, nil), "%s %s", route.method, route.path)
	}
	require.Equal(t, "pending", rig.Flow(t, ada).State)
}

type errorAnswer struct {
	Error struct{ Code, Message, Hint string } `json:"error"`
}

func TestFlowExplainsAnAppThatIsSetUpWrongly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubtest.Options{})
	ada := w.Visit(t, "ada")
	start := func(change func(*githubsim.App)) (int, errorAnswer) {
		app := githubsim.App{ClientID: githubsim.DefaultClientID, Slug: githubsim.DefaultSlug}
		change(&app)
		require.NoError(t, w.GitHub.PutApp(app))
		var answer errorAnswer
		status := rig.Call(t, ada, http.MethodPost, "api/flows", nil, &answer)
		return status, answer
	}

	status, answer := start(func(a *githubsim.App) { a.NoDeviceFlow = true })
	require.Equal(t, http.StatusBadGateway, status)
	require.Equal(t, "device_flow_disabled", answer.Error.Code)
	require.Contains(t, answer.Error.Hint, "Device Flow")

	status, _ = start(func(a *githubsim.App) { a.NoTokenExpiry = true })
	require.Equal(t, http.StatusCreated, status)
	require.NoError(t, w.GitHub.Approve(rig.Flow(t, ada).UserCode, "octocat"))
	rig.UntilFlow(t, ada, "failed")
	require.Equal(t, "token_never_expires", rig.Flow(t, ada).Error.Code)
	require.Eventually(t, func() bool { return w.GitHub.Tokens()[0].State == "revoked" }, hubtest.Patience, 50*time.Millisecond)

	status, _ = start(func(*githubsim.App) {})
	require.Equal(t, http.StatusCreated, status, "a new code is one click away")
}

func TestPageExplainsAWrongClientID(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubtest.Options{ServiceEnv: map[string]string{"GHSCOPED_CLIENT_ID": "Iv1.another"}})
	ctx := hubtest.Context(t)
	browser := hubtest.NewBrowser(t)
	w.OpenPage(t, browser, "ada")
	require.NoError(t, browser.Run(ctx, hubtest.Click(journey.Connect)))
	text, err := browser.Text(ctx, "#problem:not([hidden])")
	require.NoError(t, err)
	require.Contains(t, text, "client id")
}

func TestPageAnswersWhenTheHubIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubtest.Options{})
	ctx := hubtest.Context(t)
	ada := w.Visit(t, "ada")
	hub, err := os.FindProcess(w.Hub.PID())
	require.NoError(t, err)
	require.NoError(t, hub.Signal(syscall.SIGSTOP))
	defer func() { _ = hub.Signal(syscall.SIGCONT) }()
	_, err = ada.Page(ctx) // an error for a status of 400 and above
	require.NoError(t, err)
	stranger := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := stranger.Get(w.Hub.ServiceURL)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusFound, response.StatusCode, "on its way to the Hub, as soon as that is back")
}

func TestHubLogoutEndsTheSessionAndCancelsTheFlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubtest.Options{})
	ctx := hubtest.Context(t)
	ada := w.Visit(t, "ada")
	rig.Begin(t, ada)
	require.NoError(t, ada.SignOut(ctx))
	require.Equal(t, http.StatusUnauthorized, rig.Call(t, ada, http.MethodGet, "api/flows/current", nil, nil), "at once")

	ada = w.Visit(t, "ada")
	require.Equal(t, "cancelled", rig.Flow(t, ada).State)
}

// In pull mode nothing else asks the Hub about the user.
func TestHubLogoutHoldsWhoeverApprovesAfterwards(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubtest.Options{ServiceEnv: map[string]string{"GHSCOPED_DELIVERY": "pull"}})
	ctx := hubtest.Context(t)
	ada := w.Visit(t, "ada")
	flow := rig.Begin(t, ada)
	require.NoError(t, ada.SignOut(ctx)) // and the browser is closed
	require.NoError(t, w.GitHub.Approve(flow.UserCode, "octocat"))
	require.Eventually(t, func() bool {
		tokens := w.GitHub.Tokens()
		return len(tokens) == 1 && tokens[0].State == "revoked"
	}, hubtest.Patience, 50*time.Millisecond)

	ada = w.Visit(t, "ada")
	ended := rig.Flow(t, ada)
	require.Equal(t, "cancelled", ended.State)
	require.Equal(t, "hub_signed_out", ended.Error.Code)
}

func TestIdentityMatchDeliversNothingOfAnotherAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubtest.Options{ServiceEnv: map[string]string{"GHSCOPED_IDENTITY": "match"}})
	ctx := hubtest.Context(t)
	w.StartServer(t, "ada", "")
	ada := w.Visit(t, "ada")
	flow := rig.Begin(t, ada)
	require.NoError(t, w.GitHub.Approve(flow.UserCode, "octocat")) // whoever was talked into typing ada's code
	rig.UntilFlow(t, ada, "failed")
	require.Equal(t, "identity_mismatch", rig.Flow(t, ada).Error.Code)
	require.Eventually(t, func() bool { return w.onlyToken(t).State == "revoked" }, hubtest.Patience, 50*time.Millisecond)
	require.NoFileExists(t, w.CredentialFile("ada"))
	require.NoError(t, w.Hub.Log.Wait(ctx, `"action":"identity_mismatch"`, w.Hub.Done()), "audited")
}

// requireSecretOnlyIn greps everything the service, the Hub and the user's
// home hold.
func (w *world) requireSecretOnlyIn(t *testing.T, secret, page, file string) {
	t.Helper()
	require.NotContains(t, page, secret, "the page")
	require.False(t, bytes.Contains(w.Hub.Log.Bytes(), []byte(secret)), "the logs of the Hub and the service")
	stored := false
	require.NoError(t, filepath.WalkDir(w.Hub.Dir, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the Hub and the server go on, and their databases' journals come and go
		}
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		stored = stored || filepath.Ext(path) == ".db"
		require.Equal(t, path == file, bytes.Contains(content, []byte(secret)), path)
		return nil
	}))
	require.True(t, stored, "the store's file was among them")
}
