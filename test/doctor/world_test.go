package doctor_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/check"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// program is the one under test, built once.
var program string

func TestMain(m *testing.M) {
	rig.Main(m, rig.Building(map[*string]string{&program: "cmd/ghscoped-service"}))
}

// world is a Hub, a GitHub, and the service beside them.
type world struct {
	*rig.World
	greedy rig.Service // one more service, with a role it should not have
}

func newWorld(t *testing.T, hub hubtest.Options) *world {
	t.Helper()
	silent := httptest.NewServer(http.NotFoundHandler()) // the Hub waits until a service answers
	t.Cleanup(silent.Close)
	greedy := rig.Service{Name: "greedy", Address: silent.URL, Token: rand.Text()}
	hub.Users = []string{"ada"}
	hub.Extra = rig.Register(greedy) + `c.JupyterHub.extra_user_scopes.add(ACCESS)
c.JupyterHub.load_roles.append({"name": "greedy", "services": ["greedy"], "scopes": ["access:servers", "list:users"]})
`
	return &world{rig.NewWorld(t, rig.WorldOptions{Program: program, Hub: hub, Serve: (*rig.World).Run}), greedy}
}

// with is an environment with some variables set otherwise; NAME= alone unsets.
func with(env []string, changes ...string) []string {
	var changed []string
	for _, entry := range env {
		name, _, _ := strings.Cut(entry, "=")
		replaced := false
		for _, change := range changes {
			replaced = replaced || strings.HasPrefix(change, name+"=")
		}
		if !replaced {
			changed = append(changed, entry)
		}
	}
	return append(changed, changes...)
}

// nobody is where nobody answers.
func nobody(t *testing.T) string {
	t.Helper()
	return "http://" + rig.FreeAddress(t)
}

// alone lets the doctor look at a store of its own, beside which no service runs.
func (w *world) alone(t *testing.T, changes ...string) (store string, env []string) {
	t.Helper()
	store = filepath.Join(t.TempDir(), "ghscoped.db")
	return store, with(w.Env, append([]string{"GHSCOPED_STORE=bolt:" + store, "GHSCOPED_LISTEN=" + rig.FreeAddress(t)}, changes...)...)
}

// examine runs the doctor.
func examine(t *testing.T, env []string, args ...string) (code int, stdout string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hubtest.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append([]string{"doctor"}, args...)...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	require.True(t, err == nil || errors.As(err, &exit), "%v", err)
	require.Empty(t, stderr.String())
	return cmd.ProcessState.ExitCode(), out.String()
}

func findings(t *testing.T, env []string) (int, []check.Result) {
	t.Helper()
	code, out := examine(t, env, "--json")
	var report check.Report
	require.NoError(t, json.Unmarshal([]byte(out), &report), out)
	require.Equal(t, code == 0, report.OK)
	return code, report.Checks
}
