package gitconfig

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

// lockPause is how long a lock is left alone before it is tried again.
const lockPause = 50 * time.Millisecond

// lock takes the lock that git takes before it writes a file, "FILE.lock". git
// gives up where it is taken; this waits until ctx ends. A lock of a git that was
// killed stays: nobody but a person can tell it from one of a git that runs.
//
// The text says who holds it, so that a delivery (internal/deliver) can remove one
// that a kill has left; it is not what the file becomes.
func lock(ctx context.Context, path string) (unlock func() error, err error) {
	name := path + ".lock"
	for {
		file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			_, err = fmt.Fprintf(file, "# The lock of ghscoped .ghscoped-new.%s.%d.%s\n# If nothing sets git up at this moment, remove this file.\n",
				rand.Text(), os.Getpid(), machine())
			if err = errors.Join(err, file.Close()); err != nil {
				return nil, errors.Join(err, os.Remove(name))
			}
			return func() error { return os.Remove(name) }, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, &Error{Code: Busy, File: path, Err: ctx.Err()}
		case <-time.After(lockPause):
		}
	}
}

// machine names this machine and container, in which a process's number means
// something; the script of a delivery names it alike.
func machine() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "unknown"
	}
	container, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return "unknown"
	}
	return strings.Trim(container, "pid:[]") + "-" + strings.TrimSpace(string(boot))
}
