package hubtest

import (
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// marker is the environment variable by which everything that one process
// started, directly or not, is found again: JupyterHub gives its children
// sessions of their own, so no process group holds them all.
const marker = "HUBTEST_RIG"

// Program is a running program with whatever it starts. It is asked to end
// when this process dies (on Linux).
type Program struct {
	Log *Log // what it printed, on standard output and error

	cmd  *exec.Cmd
	mark string
	done chan struct{} // closed when it has ended
}

// StartProgram starts cmd, whose Env must be set, with its output in a Log.
// echo gets the output as it is written; it may be nil.
func StartProgram(cmd *exec.Cmd, echo io.Writer) (*Program, error) {
	return startMarked(cmd, randomHex(8), newLog(echo))
}

// startMarked is StartProgram with a mark that is known before.
func startMarked(cmd *exec.Cmd, mark string, log *Log) (*Program, error) {
	p := &Program{Log: log, cmd: cmd, mark: mark, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(cmd.Env, marker+"="+mark)
	cmd.WaitDelay = 2 * time.Second // its children may keep the pipe open
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	endWithParent(cmd.SysProcAttr)

	started := make(chan error)
	go func() {
		// The kernel's "parent" is a thread, so this one stays until the end.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		_ = cmd.Wait() // how it ended is of no interest to who stops it
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("hubtest: %s: %w", cmd.Path, err)
	}
	return p, nil
}

// PID is the program's process id.
func (p *Program) PID() int { return p.cmd.Process.Pid }

// Done is closed when the program has ended, by Stop or by itself.
func (p *Program) Done() <-chan struct{} { return p.done }

// Stop asks the program to end, gives it grace, then kills it, and then
// whatever it has left behind.
func (p *Program) Stop(grace time.Duration) error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.done
	}
	return killMarked(marker + "=" + p.mark)
}
