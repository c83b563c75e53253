package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// What install puts into a folder: the user's command, and the name by which
// git finds it as a helper.
const (
	userCommand = "ghscoped"
	helperName  = "git-credential-ghscoped"
)

// newInstall copies the ghscoped command into a folder: an init container of
// users' servers does so, since their images do not have it.
func newInstall(in invocation) *cobra.Command {
	return &cobra.Command{
		Use:   "install FOLDER",
		Short: "Copy the ghscoped command into a folder, for users' servers",
		Long: `Copies the command ghscoped, which lies beside this program, into FOLDER, and
links it as git-credential-ghscoped there: for an init container of users'
servers. What is there already is replaced.

Exit codes: 0 done; 1 the files; 2 the command line.`,
		Args: atMost(1),
		RunE: in.install,
	}
}

func (in invocation) install(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return errors.New("name the folder: install FOLDER")
	}
	own, err := os.Executable()
	if err == nil {
		err = installFrom(filepath.Dir(own), args[0])
	}
	if err != nil {
		return &failure{exitFault, fmt.Errorf("install: %w", err)}
	}
	return nil
}

func installFrom(source, folder string) error {
	if err := copyProgram(filepath.Join(source, userCommand), filepath.Join(folder, userCommand)); err != nil {
		return err
	}
	link := filepath.Join(folder, helperName)
	if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Symlink(userCommand, link)
}

// copyProgram replaces a program in one step, since it may be running.
func copyProgram(from, to string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.CreateTemp(filepath.Dir(to), "."+filepath.Base(to)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(target.Name()) // nothing is there once it was renamed
	_, err = io.Copy(target, source)
	if err = errors.Join(err, target.Chmod(0o755), target.Close()); err != nil {
		return err
	}
	return os.Rename(target.Name(), to)
}
