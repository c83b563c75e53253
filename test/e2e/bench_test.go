package e2e_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/hubtest/journey"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// flows is how many each of the people does on the real Hub: as many as one may
// begin without a pause.
const flows = 10

var people = []string{"ada", "bob"}

// BenchmarkFromApprovalToFile measures, for 20 flows on the real Hub, the time
// from the poll that finds the approval to the finished file in the user's
// server; and the service's start-up time and resident memory.
func BenchmarkFromApprovalToFile(b *testing.B) {
	b.Logf("%s/%s, %d cores, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Minute)
	defer cancel()
	for range b.N {
		e := startExternal(b)
		var took []float64
		for _, user := range people {
			_, err := e.hub.StartServer(ctx, user, "")
			require.NoError(b, err)
			who, err := e.hub.Visit(ctx, user)
			require.NoError(b, err)
			for range flows {
				took = append(took, e.approvalToFile(ctx, b, who, user))
			}
		}
		slices.Sort(took)
		resident, err := rig.Resident(e.process.PID())
		require.NoError(b, err)
		b.ReportMetric(took[len(took)/2], "ms/median")
		b.ReportMetric(took[len(took)-1], "ms/worst")
		b.ReportMetric(float64(e.started.Milliseconds()), "ms/start-up")
		b.ReportMetric(float64(resident)/(1<<20), "MiB/resident")
		b.ReportMetric(0, "ns/op") // of no meaning here
	}
}

// external is a Hub with a service that the benchmark itself started.
type external struct {
	world
	process *hubtest.Program
	started time.Duration
}

func startExternal(b *testing.B) *external {
	e := &external{world: world{github: newGitHub(b)}}
	folder := b.TempDir()
	e.hub = hubtest.New(b, hubtest.Options{Users: people, External: func(env []string) error {
		env = append(append(env, rig.GitHubEnv(e.github)...),
			"GHSCOPED_STORE=bolt:"+filepath.Join(folder, "store.db"), "GHSCOPED_LOG_LEVEL=warn")
		began := time.Now()
		e.process = rig.Run(b, env, service, "serve")
		address := rig.Variable(env, "JUPYTERHUB_SERVICE_URL") + rig.Variable(env, "JUPYTERHUB_SERVICE_PREFIX") + "healthz"
		err := hubtest.Answers(b.Context(), address, e.process.Done())
		e.started = time.Since(began)
		return err
	}})
	return e
}

// approvalToFile does one flow and returns milliseconds from the moment GitHub
// gave the token to the credential file's time.
func (e *external) approvalToFile(ctx context.Context, b *testing.B, who *hubtest.Visitor, user string) float64 {
	e.connect(ctx, b, who)
	tokens := e.github.Tokens()
	info, err := os.Stat(filepath.Join(e.hub.Home(user), journey.CredentialFile))
	require.NoError(b, err)
	issued := tokens[len(tokens)-1].IssuedAt
	require.True(b, info.ModTime().After(issued), "the file is of this flow")
	return float64(info.ModTime().Sub(issued).Microseconds()) / 1000
}
