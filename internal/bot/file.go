package bot

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// PolicyFile is a policy that follows its file: each use looks whether the file
// has changed. A file with mistakes leaves the last good policy in force, and is told
// by [PolicyFile.Err]. One that is empty or gone allows nothing: that is how an
// administrator stops all bots at once. Safe for concurrent use.
type PolicyFile struct {
	path string

	mu      sync.Mutex
	info    os.FileInfo // of the file as last read, well or badly; nil: not there
	reading bool        // one caller reads; the others go on with what there is
	current *Policy
	err     error
}

// OpenPolicy reads a policy file, which must be good to begin with.
func OpenPolicy(path string) (*PolicyFile, error) {
	f := &PolicyFile{path: path}
	if err := f.Err(); err != nil {
		return nil, err
	}
	return f, nil
}

// Current is the policy in force.
func (f *PolicyFile) Current() *Policy {
	f.look()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.current
}

// Err says why the file cannot be used as it is now; nil: it is in force.
func (f *PolicyFile) Err() error {
	f.look()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// look reads the file if it is another than the one last read. The state is
// taken before the content, so that a file which changes meanwhile is read
// again at the next look.
func (f *PolicyFile) look() {
	info, err := os.Stat(f.path)
	if !f.toRead(info, err) {
		return
	}
	var policy *Policy
	if err == nil {
		policy, err = readPolicy(f.path)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reading, f.info = false, info
	problems, wrong := errors.AsType[Problems](err)
	switch {
	case err == nil:
		f.current, f.err = policy, nil
		return
	case errors.Is(err, os.ErrNotExist) || problems.empty():
		f.current = &Policy{}
	case !wrong:
		f.info = nil // it could not be read: look again
	}
	f.err = fmt.Errorf("the bot policy %s: %w", f.path, err)
}

func (f *PolicyFile) toRead(info os.FileInfo, err error) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.reading || (err == nil && os.SameFile(info, f.info) && info.ModTime().Equal(f.info.ModTime()) && info.Size() == f.info.Size()) {
		return false
	}
	f.reading = true
	return true
}

func readPolicy(path string) (*Policy, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxPolicy+1))
	if err != nil {
		return nil, err
	}
	return ParsePolicy(data)
}
