package e2e_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/app"
	"github.com/ghscoped/ghscoped-service/internal/config"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// inProcess is a Hub with the service in the test's own process, so that hours
// can pass at once.
type inProcess struct {
	*world
	ahead atomic.Int64
}

func (p *inProcess) now() time.Time { return time.Now().Add(time.Duration(p.ahead.Load())) }

// pass lets time pass for the service and for GitHub. The Hub does not notice.
func (p *inProcess) pass(d time.Duration) {
	p.ahead.Add(int64(d))
	p.GitHub.Advance(d)
}

func newInProcess(t *testing.T, settings map[string]string) *inProcess {
	t.Helper()
	p := &inProcess{}
	p.world = startWorld(t, hubtest.Options{ServiceEnv: settings}, func(w *rig.World) error {
		cfg, err := config.Load("", w.Env, os.ReadFile)
		if err != nil {
			return err
		}
		service, err := app.New(cfg, app.Dependencies{
			Logger: slog.New(slog.DiscardHandler), Audit: io.Discard, Clock: p.now, HTTP: &http.Client{}, GitHub: &http.Client{}, Registry: prometheus.NewRegistry(),
		})
		if err != nil {
			return err
		}
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			require.NoError(t, service.Stop(ctx))
		})
		return service.Start(t.Context())
	})
	return p
}

// connected brings ada to a connection with the credential in her server.
func (p *inProcess) connected(t *testing.T) *hubtest.Visitor {
	t.Helper()
	p.install(t)
	p.StartServer(t, "ada", "")
	ada := p.Visit(t, "ada")
	p.Connect(t, ada, "octocat")
	p.waitDelivery(t, ada, "delivered")
	return ada
}

func (p *inProcess) credential(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(p.CredentialFile("ada"))
	require.NoError(t, err)
	return string(content)
}

func TestRefreshKeepsATokenFresh(t *testing.T) {
	t.Parallel()
	p := newInProcess(t, map[string]string{"GHSCOPED_REFRESH": "true"})
	ada := p.connected(t)
	page := rig.Page(t, ada)
	require.Contains(t, page, "While your server runs, access is prolonged")
	first := p.onlyToken(t)
	require.Contains(t, p.credential(t), first.Token)
	p.pass(7*time.Hour + 50*time.Minute)
	require.Eventually(t, func() bool {
		tokens := p.GitHub.Tokens()
		return len(tokens) == 2 && tokens[0].State == "refreshed"
	}, hubtest.Patience, 50*time.Millisecond)
	second := p.GitHub.Tokens()[1]
	require.Eventually(t, func() bool {
		content, err := os.ReadFile(p.CredentialFile("ada"))
		return err == nil && bytes.Contains(content, []byte(second.Token))
	}, hubtest.Patience, 50*time.Millisecond, "delivered again")
	p.push(t, "ada", "")
}

func TestConnectionEndsWithoutRefreshAndLeavesNothing(t *testing.T) {
	t.Parallel()
	p := newInProcess(t, nil)
	p.connected(t)
	p.pass(8*time.Hour + time.Minute)
	ada := p.Visit(t, "ada") // the session is over, too
	rig.UntilFlow(t, ada, "expired")
	_ = rig.Page(t, ada)
	require.Eventually(t, func() bool {
		_, err := os.Stat(p.CredentialFile("ada"))
		return os.IsNotExist(err)
	}, hubtest.Patience, 50*time.Millisecond)
}

func TestRevokeOnStopEndsATokenWithItsServer(t *testing.T) {
	t.Parallel()
	p := newInProcess(t, map[string]string{"GHSCOPED_REVOKE_ON_STOP": "true"})
	ctx := hubtest.Context(t)
	p.connected(t)
	require.NoError(t, p.Hub.StopServer(ctx, "ada", ""))
	p.pass(2 * time.Minute)
	require.Eventually(t, func() bool { return p.onlyToken(t).State == "revoked" }, hubtest.Patience, 50*time.Millisecond)
}
