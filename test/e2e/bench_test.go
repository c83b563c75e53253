package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/hubtest/journey"
)

// flows is how many a benchmark does on the real Hub.
const flows = 20

// BenchmarkFromApprovalToFile measures, for 20 flows on the real Hub, the time
// from the poll that finds the approval to the finished file in the user's
// server; and the service's start-up time and resident memory.
func BenchmarkFromApprovalToFile(b *testing.B) {
	b.Logf("%s/%s, %d cores, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Minute)
	defer cancel()
	for range b.N {
		e := startExternal(b)
		_, err := e.hub.StartServer(ctx, "ada", "")
		require.NoError(b, err)
		ada, err := e.hub.Visit(ctx, "ada")
		require.NoError(b, err)
		var took []float64
		for range flows {
			took = append(took, e.approvalToFile(ctx, b, ada))
		}
		slices.Sort(took)
		b.ReportMetric(took[len(took)/2], "ms/median")
		b.ReportMetric(took[len(took)-1], "ms/worst")
		b.ReportMetric(float64(e.started.Milliseconds()), "ms/start-up")
		b.ReportMetric(e.residentMiB(b), "MiB/resident")
		b.ReportMetric(0, "ns/op") // of no meaning here
	}
}

// external is a Hub with a service that the benchmark itself started.
type external struct {
	world
	process *exec.Cmd
	started time.Duration
}

func startExternal(b *testing.B) *external {
	e := &external{world: world{github: newGitHub(b)}}
	folder := b.TempDir()
	e.hub = hubtest.New(b, hubtest.Options{Users: []string{"ada"}, External: func(env []string) error {
		env = append(env, "GHSCOPED_STORE=bolt:"+filepath.Join(folder, "store.db"), "GHSCOPED_LOG_LEVEL=warn")
		for name, value := range serviceEnv(e.github) {
			env = append(env, name+"="+value)
		}
		began := time.Now()
		e.process = exec.Command(service, "serve")
		e.process.Env = append(os.Environ(), env...)
		e.process.Stderr = os.Stderr
		if err := e.process.Start(); err != nil {
			return err
		}
		if err := answers(env); err != nil {
			return err
		}
		e.started = time.Since(began)
		return nil
	}})
	b.Cleanup(func() {
		require.NoError(b, e.process.Process.Signal(syscall.SIGTERM))
		require.NoError(b, e.process.Wait())
	})
	return e
}

// answers waits until the service at JUPYTERHUB_SERVICE_URL is healthy.
func answers(env []string) error {
	address := variable(env, "JUPYTERHUB_SERVICE_URL") + variable(env, "JUPYTERHUB_SERVICE_PREFIX") + "healthz"
	for began := time.Now(); time.Since(began) < 10*time.Second; {
		response, err := http.Get(address)
		if err == nil {
			return response.Body.Close()
		}
		time.Sleep(time.Millisecond) // nothing to wait on but the port itself
	}
	return fmt.Errorf("%s does not answer", address)
}

func variable(env []string, name string) string {
	for _, entry := range env {
		if value, found := strings.CutPrefix(entry, name+"="); found {
			return value
		}
	}
	return ""
}

// approvalToFile does one flow and returns milliseconds from the moment GitHub
// gave the token to the credential file's time.
func (e *external) approvalToFile(ctx context.Context, b *testing.B, who *hubtest.Visitor) float64 {
	flow := e.connect(ctx, b, who)
	require.NoError(b, e.github.Approve(flow.UserCode, "octocat"))
	e.waitState(ctx, b, who, "connected")
	tokens := e.github.Tokens()
	info, err := os.Stat(filepath.Join(e.hub.Home("ada"), journey.CredentialFile))
	require.NoError(b, err)
	issued := tokens[len(tokens)-1].IssuedAt
	require.True(b, info.ModTime().After(issued), "the file is of this flow")
	return float64(info.ModTime().Sub(issued).Microseconds()) / 1000
}

func (e *external) residentMiB(b *testing.B) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", e.process.Process.Pid))
	require.NoError(b, err)
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmRSS:" {
			kib, err := strconv.ParseFloat(fields[1], 64)
			require.NoError(b, err)
			return kib / 1024
		}
	}
	require.Fail(b, "no VmRSS")
	return 0
}
