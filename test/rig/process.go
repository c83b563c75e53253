package rig

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
)

// Build compiles a package of this module, named by its path below the root,
// into folder.
func Build(folder, pkg string) (program string, err error) {
	root, err := hubtest.Root()
	if err != nil {
		return "", err
	}
	program = filepath.Join(folder, filepath.Base(pkg))
	build := exec.Command("go", "build", "-trimpath", "-o", program, "./"+pkg)
	build.Dir = root
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

// Kill ends a program as kill -9 does, and returns when it has ended.
func Kill(program *hubtest.Program) {
	_ = syscall.Kill(program.PID(), syscall.SIGKILL) // it may have ended already
	<-program.Done()
}

// Answers waits until something answers at address, whatever it says.
func Answers(ctx context.Context, address string, ended <-chan struct{}) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err == nil {
			return response.Body.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w", address, err)
		case <-ended:
			return fmt.Errorf("what should answer at %s has ended", address)
		case <-time.After(2 * time.Millisecond): // nothing to wait on but the port itself
		}
	}
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
