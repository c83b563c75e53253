package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// What install puts into a folder: the user's command, and the name by which
// git finds it as a helper.
const (
	userCommand = "ghscoped"
	helperName  = "git-credential-ghscoped"
)

const installUsage = `Usage: ghscoped-service install FOLDER

Copies the command ghscoped, which lies beside this program, into FOLDER, and
links it as git-credential-ghscoped there: for an init container of users'
servers. What is there already is replaced.

Exit codes: 0 done; 1 the files; 2 the command line.
`

// install copies the ghscoped command, which lies beside this program, into a
// folder: an init container of users' servers does so, since their images have
// neither.
func install(_ context.Context, in invocation) int {
	return in.report("install", installUsage, invocation.install)
}

func (in invocation) install() (int, error) {
	set := quietFlags("install")
	if err := set.Parse(in.args); err != nil {
		return 0, err
	}
	if set.NArg() != 1 {
		return 0, errors.New("one folder is to be named; see ghscoped-service install -help")
	}
	own, err := os.Executable()
	if err == nil {
		err = installFrom(filepath.Dir(own), set.Arg(0))
	}
	if err != nil {
		fmt.Fprintf(in.stderr, "ghscoped-service: install: %s\n", secret.Scrub(err.Error()))
		return exitFault, nil
	}
	return exitOK, nil
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
