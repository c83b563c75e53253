package gitconfig

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// UserFile is the file for a user's settings: the one that "git config --global"
// writes to or, where that cannot be written, the other one of the two that git
// reads. lookup is that of [os.LookupEnv], since a variable that is set to nothing
// has git read no file at all.
func UserFile(lookup func(string) (string, bool)) (string, error) {
	files, err := UserFiles(lookup)
	if err != nil {
		return "", err
	}
	chosen := files[0]
	if i := slices.IndexFunc(files, replaceable); i >= 0 {
		chosen = files[i]
	}
	if noFile, is := errors.AsType[*Error](regular(chosen)); is {
		return "", noFile
	}
	return chosen, nil
}

// UserFiles are those with a user's settings, first the one that git writes to.
func UserFiles(lookup func(string) (string, bool)) ([]string, error) {
	if named, set := lookup("GIT_CONFIG_GLOBAL"); set {
		if named == "" {
			return nil, &Error{Code: Off, File: "GIT_CONFIG_GLOBAL"}
		}
		return []string{named}, nil
	}
	home, _ := lookup("HOME")
	if home == "" {
		return nil, errors.New("HOME is not set")
	}
	plain := filepath.Join(home, ".gitconfig")
	xdg, _ := lookup("XDG_CONFIG_HOME")
	if xdg == "" {
		xdg = filepath.Join(home, ".config")
	}
	xdg = filepath.Join(xdg, "git", "config")
	if !exists(plain) && exists(xdg) {
		return []string{xdg, plain}, nil
	}
	return []string{plain, xdg}, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// replaceable reports whether git could replace a file: whether its folder can be
// written, and nothing is mounted at it. Links in a circle count as well: git reads
// nothing at all where they are, and so another file would not help.
func replaceable(path string) bool {
	path, err := follow(path)
	if err != nil {
		return true
	}
	const write = 2
	folder := filepath.Dir(path)
	if !exists(folder) {
		folder = filepath.Dir(folder) // of ~/.config/git/config, where it would be made
	}
	info, err := os.Stat(folder)
	return err == nil && info.IsDir() && syscall.Access(folder, write) == nil && !mounted(path)
}

// mounted reports whether something is mounted at a path, as a cluster mounts one
// file of a ConfigMap: nothing can be renamed onto it then.
func mounted(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	table, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return false
	}
	defer table.Close()
	for lines := bufio.NewScanner(table); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 5 || filepath.Base(fields[4]) != filepath.Base(path) {
			continue
		}
		if point, err := os.Stat(fields[4]); err == nil && os.SameFile(point, info) {
			return true
		}
	}
	return false
}

// follow is the file that path is, through links, of which git follows five before
// it writes.
func follow(path string) (string, error) {
	for range 6 {
		target, err := os.Readlink(path)
		if err != nil {
			return path, nil // no link
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	return "", &Error{Code: NotWritable, File: path, Err: errors.New("too many links")}
}

// regularFile reports whether there is a file, and no link to one.
func regularFile(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().IsRegular()
}

// regular is nil where there is a file, or nothing.
func regular(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return &Error{Code: NotAFile, File: path}
	}
	return nil
}
