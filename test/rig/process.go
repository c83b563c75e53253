package rig

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
)

// Build compiles a package of this module, named by its path below the root,
// into folder, as a release is compiled: without cgo.
func Build(folder, pkg string) (program string, err error) {
	root, err := hubtest.Root()
	if err != nil {
		return "", err
	}
	program = filepath.Join(folder, filepath.Base(pkg))
	build := exec.Command("go", "build", "-trimpath", "-o", program, "./"+pkg)
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s does not build: %w\n%s", pkg, err, output)
	}
	return program, nil
}

// Start runs a program. The environment is ours without anything of JupyterHub
// or the service, and env.
func Start(env []string, echo io.Writer, program string, args ...string) (*hubtest.Program, error) {
	command := exec.Command(program, args...)
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "JUPYTERHUB_") && !strings.HasPrefix(entry, "GHSCOPED_") {
			command.Env = append(command.Env, entry)
		}
	}
	command.Env = append(command.Env, env...)
	return hubtest.StartProgram(command, echo)
}

// Run runs a program until the test's end, as [Start] does. Where the test
// failed, the end of what it printed is shown.
func Run(t testing.TB, env []string, program string, args ...string) *hubtest.Program {
	t.Helper()
	running, err := Start(env, nil, program, args...)
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := running.Stop(15 * time.Second); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("%s said at last:\n%s", filepath.Base(program), running.Log.Tail(20))
		}
	})
	return running
}

// FreeAddress is a HOST:PORT on loopback that is the test's own until its end.
func FreeAddress(t testing.TB) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", hubtest.FreePort(t))
}

// Kill ends a program as kill -9 does, and returns when it has ended.
func Kill(program *hubtest.Program) {
	_ = syscall.Kill(program.PID(), syscall.SIGKILL) // it may have ended already
	<-program.Done()
}

// Answers is [hubtest.Answers].
func Answers(ctx context.Context, address string, ended <-chan struct{}) error {
	return hubtest.Answers(ctx, address, ended)
}

// Resident is a process's resident memory in bytes (VmRSS of proc(5)).
func Resident(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmRSS:" {
			kib, err := strconv.ParseInt(fields[1], 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("no VmRSS of process %d", pid)
}

// ticks is how many of the times in /proc/PID/stat are one second (USER_HZ),
// the same on every Linux that Go runs on.
const ticks = 100

// CPU is the processor time that a process has used, its threads included.
func CPU(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name, in parentheses, may hold spaces; utime and stime are the 14th
	// and 15th field of all.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	var sum int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return time.Duration(sum) * time.Second / ticks, nil
}

// Variable is the value of name in an environment.
func Variable(env []string, name string) string {
	for _, entry := range env {
		if value, found := strings.CutPrefix(entry, name+"="); found {
			return value
		}
	}
	return ""
}
