package store

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/ghscoped/ghscoped-service/internal/secret"
)

const keyFileHead = `# Keys of ghscoped-service, one a line. The first seals, all of them open.
# Whoever reads this file and the store reads the tokens in it.
`

// LoadKeyring reads a key file: base64 lines of 32 bytes each; empty lines and
// those that begin with # do not count. A file that others can read, or that
// its group can write, is refused. Its group may read it, because a mounted
// Kubernetes Secret reaches a process that is not root in no other way.
func LoadKeyring(path string) (*Keyring, error) {
	return loadKeyring(path, 0o027)
}

// EnsureKeyring is [LoadKeyring] for the key file that the service keeps for
// itself: it makes the file, with mode 0600 and one new key, where there is
// none, and then refuses one that anybody but its owner can read. Processes
// that start at once end up with the same key.
func EnsureKeyring(path string) (*Keyring, error) {
	ring, err := loadKeyring(path, 0o077)
	if !errors.Is(err, fs.ErrNotExist) {
		return ring, err
	}
	temporary, err := writeBeside(path, []byte(keyFileHead+NewKey().Reveal()+"\n"))
	if err != nil {
		return nil, fmt.Errorf("making the key file %s: %w", path, err)
	}
	defer os.Remove(temporary)
	// A link, unlike a rename, never replaces the file of a process that was
	// faster.
	if err := os.Link(temporary, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("making the key file %s: %w", path, err)
	}
	if err := syncDirectory(path); err != nil {
		return nil, fmt.Errorf("making the key file %s: %w", path, err)
	}
	return loadKeyring(path, 0o077)
}

// CreateKeyFile makes a key file with one new key and mode 0600. A file that is
// there is left alone, and is an error.
func CreateKeyFile(path string) error {
	temporary, err := writeBeside(path, []byte(keyFileHead+NewKey().Reveal()+"\n"))
	if err != nil {
		return err
	}
	defer os.Remove(temporary)
	if err := os.Link(temporary, path); err != nil { // unlike a rename, never replaces
		return err
	}
	return syncDirectory(path)
}

// Rotate puts a new key in front of those in a key file, in one step, keeping
// the file's owner and mode. Running processes continue with the keys they read,
// so it is for a store that one process has. Where several share a store, each
// must know a key before another one seals with it: docs/operations.md has the
// two steps.
func Rotate(path string) error {
	if _, err := LoadKeyring(path); err != nil {
		return err
	}
	if err := prependKey(path); err != nil {
		return fmt.Errorf("changing the key file %s: %w", path, err)
	}
	return nil
}

func prependKey(path string) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	temporary, err := writeBeside(path, append([]byte(NewKey().Reveal()+"\n"), old...))
	if err != nil {
		return err
	}
	defer os.Remove(temporary)
	// An administrator may rotate as root; the service must still be able to
	// read its file.
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		if err := os.Chown(temporary, int(stat.Uid), int(stat.Gid)); err != nil {
			return err
		}
	}
	if err := os.Chmod(temporary, info.Mode().Perm()); err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return err
	}
	return syncDirectory(path)
}

func loadKeyring(path string, forbidden fs.FileMode) (*Keyring, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	if mode := info.Mode().Perm(); mode&forbidden != 0 {
		return nil, fmt.Errorf("key file %s has mode %#o and so is open to others than its owner; run: chmod 600 %[1]s", path, mode)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	var lines []secret.String
	for scanner := bufio.NewScanner(bytes.NewReader(content)); scanner.Scan(); {
		line := strings.TrimSpace(scanner.Text())
		if line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, secret.New(line))
		}
	}
	ring, err := NewKeyring(lines...)
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	return ring, nil
}

// writeBeside writes content to a new file of mode 0600 in the same directory
// as path, on disk when it returns.
func writeBeside(path string, content []byte) (name string, err error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return "", err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		os.Remove(file.Name())
		return "", err
	}
	return file.Name(), nil
}

// syncDirectory makes a new name in path's directory survive a power cut.
func syncDirectory(path string) error {
	directory, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}
