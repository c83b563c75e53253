package gitconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrBusy: git, or another one of us, is changing the file at this moment; or
// one that was killed has left its lock.
var ErrBusy = errors.New("somebody else is changing the file (its .lock is there)")

// UserFile is the file that "git config --global" writes to.
func UserFile(getenv func(string) string) (string, error) {
	if named := getenv("GIT_CONFIG_GLOBAL"); named != "" {
		return named, nil
	}
	home := getenv("HOME")
	if home == "" {
		return "", errors.New("HOME is not set")
	}
	plain := filepath.Join(home, ".gitconfig")
	xdg := getenv("XDG_CONFIG_HOME")
	if xdg == "" {
		xdg = filepath.Join(home, ".config")
	}
	xdg = filepath.Join(xdg, "git", "config")
	if !exists(plain) && exists(xdg) {
		return xdg, nil
	}
	return plain, nil
}

// SystemFile is the file of all users of this machine, as in an image.
func SystemFile(getenv func(string) string) string {
	if named := getenv("GIT_CONFIG_SYSTEM"); named != "" {
		return named
	}
	return "/etc/gitconfig"
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// change replaces a file's text by what edit makes of it; ok is false where
// there is no file, before or after.
func change(path string, edit func(text string, ok bool) (string, bool)) (changed bool, err error) {
	path, err = follow(path)
	if err != nil {
		return false, err
	}
	lock, err := os.OpenFile(path+".lock", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return false, ErrBusy
	}
	if err != nil {
		return false, fmt.Errorf("git configuration: %w", err)
	}
	defer func() { // gone already where it was renamed
		if !changed {
			err = errors.Join(err, lock.Close(), os.Remove(lock.Name()))
		}
	}()
	text, err := os.ReadFile(path)
	there := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("git configuration: %w", err)
	}
	wanted, stays := edit(string(text), there)
	switch {
	case wanted == string(text) && stays == there:
		return false, nil
	case !stays:
		if err := os.Remove(path); err != nil {
			return false, fmt.Errorf("git configuration: %w", err)
		}
		return true, errors.Join(lock.Close(), os.Remove(lock.Name()))
	}
	if err := fill(lock, path, wanted); err != nil {
		return false, fmt.Errorf("git configuration: %w", err)
	}
	return true, lock.Close()
}

// fill writes the lock file, gives it the mode of the file it replaces, and
// renames it.
func fill(lock *os.File, path, text string) error {
	if info, err := os.Stat(path); err == nil {
		if err := lock.Chmod(info.Mode().Perm()); err != nil {
			return err
		}
	}
	if _, err := lock.WriteString(text); err != nil {
		return err
	}
	if err := lock.Sync(); err != nil {
		return err
	}
	return os.Rename(lock.Name(), path)
}

// follow is the file that path is, through links; git writes there too.
func follow(path string) (string, error) {
	for range 20 {
		target, err := os.Readlink(path)
		if err != nil {
			return path, nil // no link
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	return "", fmt.Errorf("git configuration: too many links at %s", path)
}
