package e2e_test

import (
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// flows is how many each of the people does on the real Hub: as many as one may
// begin without a pause.
const flows = 10

var people = []string{"ada", "bob"}

// BenchmarkDeliveryFromApprovalToFile measures, for 20 flows on the real Hub, the time
// from the poll that finds the approval to the finished file in the user's
// server; and the service's start-up time and resident memory.
func BenchmarkDeliveryFromApprovalToFile(b *testing.B) {
	b.Logf("%s/%s, %d cores, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	for range b.N {
		e := startExternal(b)
		var took []float64
		for _, user := range people {
			e.StartServer(b, user, "")
			who := e.Visit(b, user)
			for range flows {
				took = append(took, e.approvalToFile(b, who, user))
			}
		}
		slices.Sort(took)
		resident, err := rig.Resident(e.Service.PID())
		require.NoError(b, err)
		b.ReportMetric(took[len(took)/2], "ms/median")
		b.ReportMetric(took[len(took)-1], "ms/worst")
		b.ReportMetric(float64(e.started.Milliseconds()), "ms/start-up")
		b.ReportMetric(float64(resident)/(1<<20), "MiB/resident")
		b.ReportMetric(0, "ns/op") // of no meaning here
	}
}

// external is a world with a service that the benchmark itself started.
type external struct {
	world
	started time.Duration
}

func startExternal(b *testing.B) *external {
	e := &external{}
	hub := hubtest.Options{Users: people, ServiceEnv: map[string]string{"GHSCOPED_LOG_LEVEL": "warn"}}
	e.World = rig.NewWorld(b, rig.WorldOptions{Program: service, Hub: hub, Serve: func(w *rig.World) error {
		began := time.Now()
		if err := w.Run(); err != nil {
			return err
		}
		address := rig.Variable(w.Env, "JUPYTERHUB_SERVICE_URL") + rig.Variable(w.Env, "JUPYTERHUB_SERVICE_PREFIX") + "healthz"
		err := hubtest.Answers(b.Context(), address, w.Service.Done())
		e.started = time.Since(began)
		return err
	}})
	return e
}

// approvalToFile does one flow and returns milliseconds from the moment GitHub
// gave the token to the credential file's time.
func (e *external) approvalToFile(b *testing.B, who *hubtest.Visitor, user string) float64 {
	e.Connect(b, who, "octocat")
	tokens := e.GitHub.Tokens()
	info, err := os.Stat(e.CredentialFile(user))
	require.NoError(b, err)
	issued := tokens[len(tokens)-1].IssuedAt
	require.True(b, info.ModTime().After(issued), "the file is of this flow")
	return float64(info.ModTime().Sub(issued).Microseconds()) / 1000
}
