package hubtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// JupyterOptions say which Jupyter Server is wanted. The zero value is
// jupyter_server 2 in a temporary home.
type JupyterOptions struct {
	Version string   // folder of .demo: hub6 (the default), hub5 or hub4
	Module  string   // Python module to run: jupyter_server (the default), jupyterlab, or notebook
	Home    string   // HOME; default: a temporary folder, removed by Stop
	Args    []string // after our own, so they win
	Env     []string // NAME=value, after our own, so they win
}

// Jupyter is a Jupyter Server without a Hub.
type Jupyter struct {
	URL   string // ends with a slash
	Token string // for Authorization: token …
	Home  string
	Log   *Log

	program  *Program
	reserved reservation
	ownHome  bool
}

// JupyterServer starts a Jupyter Server for a test and stops it at the test's end.
func JupyterServer(t testing.TB, o JupyterOptions) *Jupyter {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	j, err := StartJupyter(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the Jupyter Server's log ends with:\n%s", j.Log.Tail(40))
		}
	})
	return j
}

// StartJupyter starts a Jupyter Server and returns when it listens.
func StartJupyter(ctx context.Context, o JupyterOptions) (_ *Jupyter, err error) {
	if o.Version == "" {
		o.Version = "hub6"
	}
	if o.Module == "" {
		o.Module = "jupyter_server"
	}
	python, err := installed(o.Version, "bin", "python")
	if err != nil {
		return nil, err
	}
	ports, held, err := reserve(1)
	if err != nil {
		return nil, err
	}
	j := &Jupyter{URL: fmt.Sprintf("http://127.0.0.1:%d/", ports[0]), Token: randomHex(16), Home: o.Home, Log: newLog(nil), reserved: held}
	if o.Home == "" {
		if j.Home, err = os.MkdirTemp("", "hubtest-home-"); err != nil {
			return nil, fmt.Errorf("hubtest: %w", err)
		}
		j.ownHome = true
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, j.Stop())
		}
	}()
	// The runtime folder lies elsewhere: a test may make the home read-only or full.
	runtime, err := os.MkdirTemp("", "hubtest-runtime-")
	if err != nil {
		return nil, fmt.Errorf("hubtest: %w", err)
	}
	cmd := exec.Command(python, jupyterArgs(o, j, ports[0])...)
	cmd.Dir = j.Home
	cmd.Env = append(cleanEnv(), "HOME="+j.Home, "SHELL=/bin/bash", "JUPYTER_RUNTIME_DIR="+runtime,
		"JUPYTER_TOKEN="+j.Token,
		"PATH="+filepath.Dir(python)+string(os.PathListSeparator)+os.Getenv("PATH"))
	cmd.Env = append(cmd.Env, o.Env...)
	if j.program, err = startMarked(cmd, randomHex(8), j.Log); err != nil {
		return nil, err
	}
	go func() {
		<-j.program.done
		_ = os.RemoveAll(runtime)
	}()
	if err := j.Log.Wait(ctx, "is running at", j.program.done); err != nil {
		return nil, fmt.Errorf("hubtest: Jupyter Server does not start: %w; its log ends with:\n%s", err, j.Log.Tail(40))
	}
	// It says that it is running a moment before it listens.
	if err := Answers(ctx, j.URL+"api", j.program.done); err != nil {
		return nil, fmt.Errorf("%w; its log ends with:\n%s", err, j.Log.Tail(40))
	}
	return j, nil
}

func jupyterArgs(o JupyterOptions, j *Jupyter, port int) []string {
	args := []string{"-m", o.Module, "--no-browser", "--ip=127.0.0.1", fmt.Sprintf("--port=%d", port)}
	if o.Version == "hub4" && o.Module == "notebook" {
		args = append(args, "--notebook-dir="+j.Home)
	} else {
		args = append(args, "--ServerApp.root_dir="+j.Home)
	}
	if os.Geteuid() == 0 {
		args = append(args, "--allow-root")
	}
	return append(args, o.Args...)
}

// PID is the server's process id, for a test that kills it.
func (j *Jupyter) PID() int { return j.program.PID() }

// Stop ends the server with its terminals and kernels, and removes the home if
// StartJupyter made it.
func (j *Jupyter) Stop() error {
	var errs []error
	if j.program != nil {
		errs = append(errs, j.program.Stop(10*time.Second))
	}
	errs = append(errs, j.reserved.release())
	j.reserved = nil
	if j.ownHome {
		errs = append(errs, os.RemoveAll(j.Home))
	}
	return errors.Join(errs...)
}
