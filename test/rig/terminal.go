package rig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// Prompt is what a [Terminal]'s shell shows when it waits for a line.
const Prompt = "ready> "

// Terminal is a terminal with an interactive bash, as a person has it: Ctrl-C
// typed there reaches whatever runs in the foreground.
type Terminal struct {
	shell  *exec.Cmd
	master *os.File

	mu      sync.Mutex
	out     bytes.Buffer
	changed chan struct{} // closed when there is more, and when the terminal is gone
}

// OpenTerminal starts the shell in a folder, with this environment and no
// other, and returns when it waits for a line.
func OpenTerminal(ctx context.Context, folder string, env []string) (*Terminal, error) {
	master, slave, err := openPTY()
	if err != nil {
		return nil, err
	}
	defer slave.Close()
	t := &Terminal{shell: exec.Command("bash", "--norc", "--noprofile", "--noediting", "-i"), master: master, changed: make(chan struct{})}
	t.shell.Dir, t.shell.Env = folder, append(env, "PS1="+Prompt)
	t.shell.Stdin, t.shell.Stdout, t.shell.Stderr = slave, slave, slave
	t.shell.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := t.shell.Start(); err != nil {
		return nil, errors.Join(err, master.Close())
	}
	go t.read()
	if err := t.Until(ctx, 0, func(text string) bool { return strings.HasSuffix(text, Prompt) }); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

func openPTY() (master, slave *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	var number, locked int32
	for _, call := range []struct {
		request uintptr
		value   *int32
	}{{syscall.TIOCSPTLCK, &locked}, {syscall.TIOCGPTN, &number}} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, master.Fd(), call.request, uintptr(unsafe.Pointer(call.value))); errno != 0 {
			return nil, nil, errors.Join(errno, master.Close())
		}
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, errors.Join(err, master.Close())
	}
	return master, slave, nil
}

func (t *Terminal) read() {
	part := make([]byte, 4096)
	for {
		n, err := t.master.Read(part)
		t.mu.Lock()
		t.out.Write(part[:n])
		close(t.changed)
		t.changed = make(chan struct{})
		t.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Text is everything that was shown so far, escape sequences included.
func (t *Terminal) Text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.out.String()
}

// Type types; "\x03" is Ctrl-C.
func (t *Terminal) Type(text string) error {
	_, err := t.master.WriteString(text)
	return err
}

// Until waits until found says that all that was shown since from, a length of
// [Terminal.Text], has what is waited for.
func (t *Terminal) Until(ctx context.Context, from int, found func(text string) bool) error {
	for {
		t.mu.Lock()
		text, changed := t.out.String()[from:], t.changed
		t.mu.Unlock()
		if found(text) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%w; shown was:\n%s", ctx.Err(), text)
		}
	}
}

// Run types a line and returns what it shows, until the next prompt.
func (t *Terminal) Run(ctx context.Context, line string) (string, error) {
	from := len(t.Text())
	if err := t.Type(line + "\n"); err != nil {
		return "", err
	}
	err := t.Until(ctx, from, func(text string) bool { return strings.HasSuffix(text, Prompt) })
	text := t.Text()[from:]
	_, text, _ = strings.Cut(text, "\r\n") // the line's own echo
	return strings.ReplaceAll(strings.TrimSuffix(text, Prompt), "\r\n", "\n"), err
}

// Quiet waits until nothing but the shell runs in the terminal any more.
func (t *Terminal) Quiet(ctx context.Context) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		others, err := t.others()
		if err != nil || len(others) == 0 {
			return err
		}
		select {
		case <-tick.C: // of the end of other people's children nobody tells
		case <-ctx.Done():
			return fmt.Errorf("still there: %v: %w", others, ctx.Err())
		}
	}
}

// others are the terminal's processes besides the shell, from proc(5).
func (t *Terminal) others() (names []string, err error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	session := strconv.Itoa(t.shell.Process.Pid)
	for _, path := range stats {
		content, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		pid, rest, _ := strings.Cut(string(content), " (")
		name, rest, _ := strings.Cut(rest, ") ")
		if fields := strings.Fields(rest); len(fields) > 3 && fields[3] == session && pid != session && fields[0] != "Z" {
			names = append(names, name)
		}
	}
	return names, err
}

// Close hangs up.
func (t *Terminal) Close() error {
	_ = t.shell.Process.Kill()
	_ = t.shell.Wait() // it was killed
	return t.master.Close()
}
