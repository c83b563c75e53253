package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrMissing: the machine has no git.
var ErrMissing = errors.New("there is no git on PATH")

// childLimit is how long a program that git started, and left, is waited for.
const childLimit = time.Second

// Program is one git of the machine.
type Program struct {
	// Path is where it is.
	Path string
	// Folder is where it is run; empty: where we are.
	Folder string
	// Env is put in front of nothing: it comes after the environment of this process.
	Env []string
}

// OnPath is every git that a list of folders such as PATH holds, the one that people
// run first; two names of one file count once.
func OnPath(path string) []Program {
	var found []Program
	var seen []fs.FileInfo
	for _, folder := range filepath.SplitList(path) {
		if !filepath.IsAbs(folder) {
			continue
		}
		file := filepath.Join(folder, "git")
		info, err := os.Stat(file)
		if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 ||
			slices.ContainsFunc(seen, func(other fs.FileInfo) bool { return os.SameFile(other, info) }) {
			continue
		}
		seen = append(seen, info)
		found = append(found, Program{Path: file})
	}
	return found
}

// Version is what git says of itself, such as "git version 2.39.5".
func (p Program) Version(ctx context.Context) (string, error) {
	out, err := p.run(ctx, nil, "version")
	return strings.TrimSpace(out), err
}

// SystemFile is the file with the settings of all users that this git was built to
// read, or that GIT_CONFIG_SYSTEM names; empty where it reads none.
func (p Program) SystemFile(ctx context.Context) (string, error) {
	// "git var GIT_CONFIG_SYSTEM" knows it since 2.42; the name that is given to an
	// editor is as old as --system, and so is the complaint where there is no folder.
	p.Env = append(p.Env, "GIT_EDITOR=echo ") // with a space: that of the shell
	out, err := p.run(ctx, nil, "config", "--system", "--edit")
	if err != nil {
		var refused *Error
		if _, listErr := p.run(ctx, nil, "config", "--system", "--list"); !errors.As(listErr, &refused) {
			return "", err
		}
		_, quoted, _ := strings.Cut(refused.Text, "'")
		out, _, _ = strings.Cut(quoted, "'")
	}
	file := strings.TrimSuffix(out, "\n")
	if file == os.DevNull || !filepath.IsAbs(file) {
		return "", nil
	}
	return file, nil
}

// Error is git's own word on why it did nothing.
type Error struct {
	// Text is one line for people, of this machine's git.
	Text string
	Err  error
}

func (e *Error) Error() string { return e.Text + ": " + e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// run runs git away from the terminal, so that neither git nor a helper can ask
// anybody, and ends all of it with ctx.
func (p Program) run(ctx context.Context, input []byte, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, p.Path, args...)
	cmd.Dir = p.Folder
	cmd.Env = append(os.Environ(), p.Env...)
	cmd.Env = append(cmd.Env, "LC_ALL=C", "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=", "GCM_INTERACTIVE=never")
	cmd.Stdin = bytes.NewReader(input)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = childLimit
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.Is(err, exec.ErrWaitDelay): // a helper has left a program behind
		return string(out), nil
	case err != nil:
		return string(out), &Error{Text: firstLine(stderr.String()), Err: fmt.Errorf("git %s: %w", args[0], err)}
	}
	return string(out), nil
}

func firstLine(text string) string {
	for line := range strings.Lines(text) {
		if line, found := strings.CutPrefix(line, "fatal: "); found {
			return strings.TrimSpace(line)
		}
	}
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimSpace(line)
}

// True reports whether git takes a text for true, as it does numbers other than 0; an
// empty one is false.
func True(text string) bool {
	switch strings.ToLower(text) {
	case "", "false", "no", "off":
		return false
	}
	number, err := strconv.ParseInt(text, 0, 64)
	return err != nil || number != 0
}
