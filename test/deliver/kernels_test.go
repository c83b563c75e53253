package deliver_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/deliver"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
)

// unlikely are real Python kernels that behave as some do now and then. Each
// start is a line in the file that the first argument names.
const unlikely = `
import sys, time
from ipykernel import kernelapp, kernelbase
path = sys.argv.pop(1)
with open(path, "a") as starts:
    starts.write("started\n")
first = len(open(path).readlines()) == 1
`

func TestKernelThatIsUnlikelyGetsItsChance(t *testing.T) {
	for _, c := range []struct {
		name, code string
		starts     int
	}{
		{"it takes longer to start than its prompt may take", `time.sleep(7)`, 1},
		{"the first one's prompt is lost", `
if first:
    kernelbase.Kernel._input_request = lambda *a, **k: time.sleep(3600)
`, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			starts := filepath.Join(folder, "starts")
			kernel(t, folder, unlikely+c.code+"\nkernelapp.launch_new_instance()\n", starts)
			s := start(t, hubtest.JupyterOptions{Home: t.TempDir(), Args: []string{noTerminals}, Env: []string{"JUPYTER_PATH=" + folder}})

			method, err := newDeliverer(t, deliver.Options{Timeout: 40 * time.Second}).Deliver(t.Context(), s.target, gitCredential("https://github.com", token))
			require.NoError(t, err)
			require.Equal(t, "kernel", method)
			require.Contains(t, fill(t, s.Home), "password="+token+"\n")
			content, err := os.ReadFile(starts)
			require.NoError(t, err)
			require.Equal(t, c.starts, strings.Count(string(content), "\n"), "kernels that were started")
			s.requireTidy()
		})
	}
}

// kernel makes the server's own kernel one that runs a program.
func kernel(t *testing.T, folder, program string, argument string) {
	t.Helper()
	place := filepath.Join(folder, "kernels", "python3")
	require.NoError(t, os.MkdirAll(place, 0o700))
	spec, err := json.Marshal(map[string]any{
		"argv": []string{"python", "-c", program, argument, "-f", "{connection_file}"}, "display_name": "unlikely", "language": "python",
	})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(place, "kernel.json"), spec, 0o600))
}
