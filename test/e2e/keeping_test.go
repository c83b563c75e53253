package e2e_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/app"
	"github.com/ghscoped/ghscoped-service/internal/config"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/hubtest/journey"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// inProcess is a Hub with the service in the test's own process, so that hours
// can pass at once.
type inProcess struct {
	world
	ahead atomic.Int64
}

func (p *inProcess) now() time.Time { return time.Now().Add(time.Duration(p.ahead.Load())) }

// pass lets time pass for the service and for GitHub. The Hub does not notice.
func (p *inProcess) pass(d time.Duration) {
	p.ahead.Add(int64(d))
	p.github.Advance(d)
}

func newInProcess(t *testing.T, settings ...string) *inProcess {
	t.Helper()
	p := &inProcess{world: world{github: newGitHub(t)}}
	folder := t.TempDir()
	p.hub = hubtest.New(t, hubtest.Options{Users: []string{"ada"}, External: func(env []string) error {
		env = append(append(env, settings...), "GHSCOPED_STORE=bolt:"+filepath.Join(folder, "store.db"))
		env = append(env, rig.GitHubEnv(p.github)...)
		cfg, err := config.Load("", env, os.ReadFile)
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
	}})
	return p
}

// connected brings ada to a connection with the credential in her server.
func (p *inProcess) connected(ctx context.Context, t *testing.T) *hubtest.Visitor {
	t.Helper()
	_, err := p.github.Install("octocat", chosen)
	require.NoError(t, err)
	_, err = p.hub.StartServer(ctx, "ada", "")
	require.NoError(t, err)
	ada, err := p.hub.Visit(ctx, "ada")
	require.NoError(t, err)
	p.connect(ctx, t, ada)
	p.waitDelivery(ctx, t, ada, "delivered")
	return ada
}

func (p *inProcess) credential(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(p.hub.Home("ada"), journey.CredentialFile))
	require.NoError(t, err)
	return string(content)
}

func TestATokenIsKeptFreshWhereTheDeployerAsksForIt(t *testing.T) {
	t.Parallel()
	p := newInProcess(t, "GHSCOPED_REFRESH=true")
	ctx := hubtest.Context(t)
	ada := p.connected(ctx, t)
	page, err := ada.Page(ctx)
	require.NoError(t, err)
	require.Contains(t, page, "While your server runs, access is prolonged")
	first := p.onlyToken(t)
	require.Contains(t, p.credential(t), first.Token)
	p.pass(7*time.Hour + 50*time.Minute)
	require.Eventually(t, func() bool {
		tokens := p.github.Tokens()
		return len(tokens) == 2 && tokens[0].State == "refreshed"
	}, hubtest.Patience, 50*time.Millisecond)
	second := p.github.Tokens()[1]
	require.Eventually(t, func() bool {
		content, err := os.ReadFile(filepath.Join(p.hub.Home("ada"), journey.CredentialFile))
		return err == nil && bytes.Contains(content, []byte(second.Token))
	}, hubtest.Patience, 50*time.Millisecond, "delivered again")
	p.push(ctx, t, "ada", "")
}

func TestWithoutRefreshTheConnectionEndsAndLeavesNothing(t *testing.T) {
	t.Parallel()
	p := newInProcess(t)
	ctx := hubtest.Context(t)
	p.connected(ctx, t)
	p.pass(8*time.Hour + time.Minute)
	ada, err := p.hub.Visit(ctx, "ada") // the session is over, too
	require.NoError(t, err)
	require.NoError(t, journey.Until(ctx, ada, "expired"))
	_, err = ada.Page(ctx)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(p.hub.Home("ada"), journey.CredentialFile))
		return os.IsNotExist(err)
	}, hubtest.Patience, 50*time.Millisecond)
}

func TestATokenDiesWithItsServerWhereTheDeployerAsksForIt(t *testing.T) {
	t.Parallel()
	p := newInProcess(t, "GHSCOPED_REVOKE_ON_STOP=true")
	ctx := hubtest.Context(t)
	p.connected(ctx, t)
	require.NoError(t, p.hub.StopServer(ctx, "ada", ""))
	p.pass(2 * time.Minute)
	require.Eventually(t, func() bool { return p.onlyToken(t).State == "revoked" }, hubtest.Patience, 50*time.Millisecond)
}
