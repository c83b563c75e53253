package gitconfig

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// The codes of an [Error], which are those of a delivery (internal/deliver) too.
const (
	// Busy: git, or another one of us, is changing the file; or one that was
	// killed has left its lock.
	Busy = "git_config_busy"
	// Off: a variable that is set to nothing has git read no such file.
	Off = "git_config_off"
	// NotAFile: it is a folder, or a device such as /dev/null.
	NotAFile = "git_config_not_a_file"
	// NotWritable: the file cannot be replaced.
	NotWritable = "git_config_not_writable"
)

// Error says why a file was not changed.
type Error struct {
	Code string
	// File is the file in the way; with [Off] the variable.
	File string
	Err  error
}

func (e *Error) Error() string {
	if e.Err == nil {
		return e.Code + ": " + e.File
	}
	return e.Code + ": " + e.File + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// change replaces a file's text by what edit makes of it; ok is false where
// there is no file, before or after.
func change(ctx context.Context, path string, edit func(text string, ok bool) (string, bool)) (changed bool, err error) {
	path, err = follow(path)
	if err != nil {
		return false, err
	}
	if err := regular(path); err != nil {
		return false, err
	}
	unlock, err := lock(ctx, path)
	if err != nil {
		return false, explain(path, err)
	}
	defer func() { err = errors.Join(err, unlock()) }()

	text, err := os.ReadFile(path)
	there := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, explain(path, err)
	}
	wanted, stays := edit(string(text), there)
	if wanted == string(text) && stays == there {
		return false, nil
	}
	if !stays {
		return true, explain(path, os.Remove(path))
	}
	if err := replace(path, wanted); err != nil {
		return false, explain(path, err)
	}
	return true, nil
}

// replace writes the text beside the file, with the file's mode, and renames it.
// Whoever holds the lock may do so under one and the same name: what is there was
// left by one that was killed.
func replace(path, text string) error {
	name := path + ".ghscoped-new"
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if info, statErr := os.Stat(path); statErr == nil {
		err = file.Chmod(info.Mode().Perm())
	}
	_, writeErr := file.WriteString(text)
	if err = errors.Join(err, writeErr, file.Sync(), file.Close()); err == nil {
		err = os.Rename(name, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

// explain names the cause where it is one that people can do something about.
func explain(path string, err error) error {
	var named *Error
	switch {
	case err == nil, errors.As(err, &named):
		return err
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.EBUSY),
		errors.Is(err, fs.ErrNotExist) && !exists(filepath.Dir(path)):
		return &Error{Code: NotWritable, File: path, Err: err}
	}
	return fmt.Errorf("git configuration: %w", err)
}
