package bench_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/store/redistest"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

const (
	// rounds and turn are how the load is dealt out: both services get it in
	// turns, so that whatever else the machine does meets both.
	rounds = 3
	turn   = 5 * time.Second
	// starting is how often each is started for the median of its start-up time.
	starting = 5
)

// BenchmarkSessionCheck compares a request that needs a signed-in browser, here
// and in a service that JupyterHub's own HubOAuthenticated guards (sessions.py):
// requests a second with a real session cookie each, on kept-alive connections
// and without the Hub's proxy in between, resident memory after that, and
// start-up. Both are real services of one real Hub. Ours says that ada has no
// flow, theirs what she is called.
func BenchmarkSessionCheck(b *testing.B) {
	ctx, cancel := context.WithTimeout(b.Context(), 5*time.Minute)
	defer cancel()
	for range b.N {
		ours, theirs := startBoth(ctx, b)
		for range rounds {
			ours.load(ctx, b)
			theirs.load(ctx, b)
		}
		ours.report(b, "go")
		theirs.report(b, "tornado")
		b.ReportMetric(ours.rate()/theirs.rate(), "x-throughput")
		b.ReportMetric(float64(theirs.resident)/float64(ours.resident), "x-less-memory")
		b.ReportMetric(float64(theirs.startUp)/float64(ours.startUp), "x-faster-start")
		b.ReportMetric(0, "ns/op") // of no meaning here
	}
}

// contender is one of the two services.
type contender struct {
	command []string
	env     []string
	path    string // of the request that is measured
	status  int    // of its answer
	process *hubtest.Program
	request []byte // with the cookie

	startUp  time.Duration
	answered int
	busy     time.Duration
	used     time.Duration // of processor time
	resident int64
}

func startBoth(ctx context.Context, b *testing.B) (ours, theirs *contender) {
	root, err := hubtest.Root()
	require.NoError(b, err)
	other := rig.NewService("python", redistest.FreePort(b))
	ours = &contender{command: []string{service, "serve"}, path: "api/flows/current", status: http.StatusNotFound}
	theirs = &contender{command: []string{filepath.Join(root, ".demo", "hub6", "bin", "python"), filepath.Join(root, "test", "bench", "sessions.py")}, path: "api/who", status: http.StatusOK}
	hub := hubtest.Options{Users: []string{"ada"}, Extra: rig.Register(other), ServiceEnv: map[string]string{"GHSCOPED_LOG_LEVEL": "warn"}}
	w := rig.NewWorld(b, rig.WorldOptions{Hub: hub, Serve: func(w *rig.World) error {
		theirs.env, ours.env = other.Env(w.Env), w.Env
		if err := theirs.start(ctx); err != nil {
			return err
		}
		return ours.start(ctx)
	}})
	b.Cleanup(func() {
		require.NoError(b, ours.process.Stop(10*time.Second))
		require.NoError(b, theirs.process.Stop(10*time.Second))
	})
	ours.signIn(ctx, b, w.Hub)
	theirs.signIn(ctx, b, other.Hub(w.Hub))
	return ours, theirs
}

// start starts the service several times and leaves it running.
func (c *contender) start(ctx context.Context) error {
	var took []time.Duration
	for i := range starting {
		if i > 0 {
			if err := c.process.Stop(10 * time.Second); err != nil {
				return err
			}
		}
		began := time.Now()
		process, err := rig.Start(c.env, nil, c.command[0], c.command[1:]...)
		if err != nil {
			return err
		}
		c.process = process
		page := rig.Variable(c.env, "JUPYTERHUB_SERVICE_URL") + rig.Variable(c.env, "JUPYTERHUB_SERVICE_PREFIX")
		if err := rig.Answers(ctx, page+c.path, process.Done()); err != nil {
			return fmt.Errorf("%w:\n%s", err, process.Log.Tail(20))
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	c.startUp = took[len(took)/2]
	return nil
}

// signIn signs ada in and makes the request with her cookies, as a browser that
// loads a page: from a script, HubOAuthenticated wants more than the cookie.
func (c *contender) signIn(ctx context.Context, b *testing.B, hub *hubtest.Hub) {
	b.Helper()
	visitor, err := hub.Visit(ctx, "ada")
	require.NoError(b, err)
	public, err := url.Parse(hub.ServiceURL + c.path)
	require.NoError(b, err)
	var cookies []string
	for _, cookie := range visitor.Cookies(public) {
		cookies = append(cookies, cookie.Name+"="+cookie.Value)
	}
	c.request = fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: same-origin\r\n\r\n",
		public.Path, public.Host, strings.Join(cookies, "; "))
}

func (c *contender) load(ctx context.Context, b *testing.B) {
	b.Helper()
	address, err := url.Parse(rig.Variable(c.env, "JUPYTERHUB_SERVICE_URL"))
	require.NoError(b, err)
	before, err := rig.CPU(c.process.PID())
	require.NoError(b, err)
	answered, busy, err := hammer(ctx, address.Host, c.request, c.status, turn)
	require.NoError(b, err)
	after, err := rig.CPU(c.process.PID())
	require.NoError(b, err)
	c.answered, c.busy, c.used = c.answered+answered, c.busy+busy, c.used+after-before
	c.resident, err = rig.Resident(c.process.PID())
	require.NoError(b, err)
}

func (c *contender) rate() float64 { return float64(c.answered) / c.busy.Seconds() }

func (c *contender) report(b *testing.B, name string) {
	b.ReportMetric(c.rate(), name+"-req/s")
	b.ReportMetric(float64(c.answered)/c.used.Seconds(), name+"-req/CPU-s")
	b.ReportMetric(float64(c.resident)/(1<<20), name+"-MiB")
	b.ReportMetric(float64(c.startUp.Microseconds())/1000, name+"-ms-start-up")
	b.Logf("%s: %d answers, all of status %d", name, c.answered, c.status)
}
