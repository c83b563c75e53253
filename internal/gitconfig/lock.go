package gitconfig

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// lockPause is how long a lock is left alone before it is tried again.
	lockPause = 50 * time.Millisecond
	// lockGrace is how long a lock of one that is over is left alone. A delivery that
	// runs in this home removes it sooner, and the two do not come into each other's
	// way.
	lockGrace = time.Second

	heldBy = "# The lock of ghscoped "
)

// lock takes the lock that git takes before it writes a file, "FILE.lock". git
// gives up where it is taken; this waits until ctx ends. A lock of ours whose
// process was killed is removed. One of a git that was killed stays: nobody but a
// person can tell it from one of a git that runs.
//
// The text says who holds it, so that a delivery (internal/deliver) can remove one
// that a kill has left; it is not what the file becomes.
func lock(ctx context.Context, path string) (unlock func() error, err error) {
	name := path + ".lock"
	text := fmt.Sprintf("%s.ghscoped-new.%s.%d.%s\n# If nothing sets git up at this moment, remove this file.\n",
		heldBy, rand.Text(), os.Getpid(), machine())
	left, since := "", time.Time{} // by whom, and seen since when
	for {
		err := create(name, text)
		if err == nil {
			return func() error { return os.Remove(name) }, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		switch holder := endedHolder(name); {
		case holder == "":
			left = ""
		case holder != left:
			left, since = holder, time.Now()
		case time.Since(since) >= lockGrace:
			if err := removeLeft(name, left); err != nil {
				return nil, err
			}
		}
		select {
		case <-ctx.Done():
			return nil, &Error{Code: Busy, File: path, Err: ctx.Err()}
		case <-time.After(lockPause):
		}
	}
}

func create(name, text string) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

// endedHolder is the first line of a lock of ours whose process is over; "" for any
// other lock. Of a process of another machine or container nothing is known.
func endedHolder(name string) string {
	if !regularFile(name) { // to open a pipe would hang
		return ""
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(text), "\n")
	holder, ours := strings.CutPrefix(line, heldBy)
	run, here := strings.CutSuffix(holder, "."+machine())
	if !ours || !here || machine() == unknown {
		return ""
	}
	process, err := strconv.Atoi(run[strings.LastIndexByte(run, '.')+1:])
	if err != nil || process <= 0 || !errors.Is(syscall.Kill(process, 0), syscall.ESRCH) {
		return ""
	}
	return line
}

// removeLeft removes a lock that names an ended holder. Of several that do so at
// once one does it, and no lock that another has taken since is removed: whoever
// may remove it has locked the very file.
func removeLeft(name, holder string) error {
	file, err := os.OpenFile(name, os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close() // which ends the flock
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil // another one is at it
	}
	opened, err := file.Stat()
	if err != nil {
		return err
	}
	if there, err := os.Lstat(name); err != nil || !os.SameFile(opened, there) || endedHolder(name) != holder {
		return nil
	}
	return os.Remove(name)
}

// unknown is what a machine is called that does not tell which it is.
const unknown = "unknown"

// machine names this machine and container, in which a process's number means
// something; the script of a delivery names it alike.
func machine() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return unknown
	}
	container, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return unknown
	}
	return strings.Trim(container, "pid:[]") + "-" + strings.TrimSpace(string(boot))
}
