package bot

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// PolicyFile is a policy that follows its file: each use looks whether the file
// has changed. A file that cannot be used leaves the last good policy in force,
// and is told by [PolicyFile.Err]. Safe for concurrent use.
type PolicyFile struct {
	path string

	mu      sync.Mutex
	info    os.FileInfo // of the file as last read, well or badly; nil: not there
	current *Policy
	err     error
}

// OpenPolicy reads a policy file, which must be good to begin with.
func OpenPolicy(path string) (*PolicyFile, error) {
	f := &PolicyFile{path: path}
	f.mu.Lock()
	f.look()
	f.mu.Unlock()
	if f.err != nil {
		return nil, f.err
	}
	return f, nil
}

// Current is the policy in force.
func (f *PolicyFile) Current() *Policy {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.look()
	return f.current
}

// Err says why the file cannot be used as it is now; nil: it is in force.
func (f *PolicyFile) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.look()
	return f.err
}

// look reads the file if it is another than the one last read. The state is
// taken before the content, so that a file which changes meanwhile is read
// again at the next look.
func (f *PolicyFile) look() {
	info, err := os.Stat(f.path)
	if err != nil {
		f.info, f.err = nil, fmt.Errorf("the bot policy: %w", err)
		return
	}
	if os.SameFile(info, f.info) && info.ModTime().Equal(f.info.ModTime()) && info.Size() == f.info.Size() {
		return
	}
	f.info = info
	policy, err := readPolicy(f.path)
	if err != nil {
		f.err = fmt.Errorf("the bot policy %s: %w", f.path, err)
		if problems := (Problems)(nil); !errors.As(err, &problems) {
			f.info = nil // it could not be read: look again
		}
		return
	}
	f.current, f.err = policy, nil
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
