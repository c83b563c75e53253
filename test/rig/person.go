package rig

import (
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/hubtest/journey"
)

// Visit signs a user in at the Hub and opens the service's page.
func (w *World) Visit(t testing.TB, user string) *hubtest.Visitor {
	t.Helper()
	who, err := w.Hub.Visit(hubtest.Context(t), user)
	require.NoError(t, err)
	return who
}

// OpenPage does the same in a browser.
func (w *World) OpenPage(t testing.TB, browser *hubtest.Browser, user string) {
	t.Helper()
	ctx := hubtest.Context(t)
	require.NoError(t, browser.SignIn(ctx, w.Hub, user))
	require.NoError(t, browser.Run(ctx, chromedp.Navigate(w.Hub.ServiceURL),
		chromedp.Click(hubtest.HubConsent, chromedp.NodeVisible), chromedp.WaitReady(journey.State)))
}

// StartServer starts a server of a user ("" is the default one) and returns its
// address, which ends with a slash.
func (w *World) StartServer(t testing.TB, user, server string) string {
	t.Helper()
	address, err := w.Hub.StartServer(hubtest.Context(t), user, server)
	require.NoError(t, err)
	return address
}

// OpenTerminal opens a terminal in a user's running server.
func (w *World) OpenTerminal(t testing.TB, user, server string) *hubtest.Terminal {
	t.Helper()
	terminal, err := w.Hub.OpenTerminal(hubtest.Context(t), user, server)
	require.NoError(t, err)
	return terminal
}

// Shell runs a line in a terminal, which has to succeed, and returns what it
// printed.
func Shell(t testing.TB, terminal *hubtest.Terminal, line string) string {
	t.Helper()
	out, status, err := terminal.Run(hubtest.Context(t), line)
	require.NoError(t, err, line)
	require.Zero(t, status, "%s:\n%s", line, out)
	return out
}

// CredentialFile is where a user's servers have the credential.
func (w *World) CredentialFile(user string) string {
	return journey.CredentialFile(w.Hub.Home(user), w.GitHub.URL())
}

// Connect connects a user of the Hub to an account at GitHub, by the API.
func (w *World) Connect(t testing.TB, who journey.Caller, account string) {
	t.Helper()
	approve := func(code string) error { return w.GitHub.Approve(code, account) }
	require.NoError(t, journey.ConnectByAPI(hubtest.Context(t), who, approve))
}

// Call asks the service for somebody and returns the status of its answer, as
// [hubtest.Visitor.Call] and [hubtest.Holder.Call] do.
func Call(t testing.TB, who journey.Caller, method, path string, in, out any) int {
	t.Helper()
	status, err := who.Call(hubtest.Context(t), method, path, in, out)
	require.NoError(t, err, "%s %s", method, path)
	return status
}

// Begin begins a flow.
func Begin(t testing.TB, who journey.Caller) journey.Flow {
	t.Helper()
	flow, err := journey.Begin(hubtest.Context(t), who)
	require.NoError(t, err)
	return flow
}

// Flow is somebody's flow as it is; the zero one where there is none.
func Flow(t testing.TB, who journey.Caller) (flow journey.Flow) {
	t.Helper()
	Call(t, who, http.MethodGet, "api/flows/current", nil, &flow)
	return flow
}

// UntilFlow waits until somebody's flow is in a state.
func UntilFlow(t testing.TB, who journey.Caller, state string) {
	t.Helper()
	require.NoError(t, journey.Until(hubtest.Context(t), who, state))
}

// Connection is somebody's connection.
func Connection(t testing.TB, who journey.Caller) (connection journey.Connection) {
	t.Helper()
	Call(t, who, http.MethodGet, "api/connection", nil, &connection)
	return connection
}

// Page is the service's page for somebody.
func Page(t testing.TB, who *hubtest.Visitor) string {
	t.Helper()
	page, err := who.Page(hubtest.Context(t))
	require.NoError(t, err)
	return page
}

// UserToken makes a Hub token of a user, as [hubtest.Hub.UserToken] does.
func (w *World) UserToken(t testing.TB, user string, scopes ...string) string {
	t.Helper()
	token, err := w.Hub.UserToken(hubtest.Context(t), user, scopes...)
	require.NoError(t, err)
	return token
}

// ServerToken makes a Hub token as that of a user's server.
func (w *World) ServerToken(t testing.TB, user, server string) string {
	t.Helper()
	token, err := w.Hub.ServerToken(hubtest.Context(t), user, server)
	require.NoError(t, err)
	return token
}
