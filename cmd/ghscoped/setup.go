package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ghscoped/ghscoped-service/internal/git"
	"github.com/ghscoped/ghscoped-service/internal/gitconfig"
)

type setupOptions struct{ system, rewriteSSH, useHTTPPath, undo bool }

// wishLimit bounds the question what the service wants to be told by git.
const wishLimit = 5 * time.Second

// lockLimit bounds the wait for git's lock.
const lockLimit = 5 * time.Second

func newSetup(in invocation) *cobra.Command {
	var o setupOptions
	cmd := &cobra.Command{
		Use:               "setup",
		Short:             "Have git ask ghscoped for GitHub's credentials",
		SuggestFor:        []string{"push", "psuh", "pull", "clone"}, // which is git's to do, once it asks ghscoped
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return in.setup(cmd.Context(), o) },
	}
	set := cmd.Flags()
	set.BoolVar(&o.system, "system", false, "set git up for all users of this machine, as in an image (/etc/gitconfig), not just for this one")
	set.BoolVar(&o.rewriteSSH, "rewrite-ssh", false, "also have git use https where an address says ssh, as submodules may")
	set.BoolVar(&o.useHTTPPath, "use-http-path", false, "have git name the repository it needs a token for, as the service of some Hubs wants it; set by itself where that service answers")
	set.BoolVar(&o.undo, "undo", false, "take out again what setup put in; the file is as it was, byte for byte")
	return cmd
}

func (in invocation) setup(ctx context.Context, o setupOptions) error {
	if !o.undo && !o.useHTTPPath {
		o.useHTTPPath = in.repositoryWanted(ctx)
	}
	host, err := githubURL(in.getenv)
	if err != nil {
		return err
	}
	files, err := in.setUp(ctx, o)
	p := newPrinter(in.stdout, in.getenv)
	for _, file := range files {
		p.line(said(o, file.changed, host.String(), file.name))
	}
	if err != nil || o.undo {
		return err
	}
	return in.proveSetup(ctx, o.system)
}

// configured is a file of git's that was looked at.
type configured struct {
	name    string
	changed bool
}

func said(o setupOptions, changed bool, host, file string) string {
	switch {
	case o.undo && changed:
		return "git no longer asks ghscoped (" + file + ")."
	case o.undo:
		return "There was nothing to undo in " + file + "."
	case changed:
		return "git now asks ghscoped for " + host + " (" + file + ")."
	}
	return "git asks ghscoped for " + host + " already (" + file + ")."
}

// setUp puts the settings where each git of this machine reads them, or takes them
// out; it stops at the first file that cannot be changed.
func (in invocation) setUp(ctx context.Context, o setupOptions) (done []configured, err error) {
	waiting, cancel := context.WithTimeout(ctx, lockLimit)
	defer cancel()
	switch {
	case o.system:
		done, err = in.setUpSystem(waiting, o)
	case o.undo:
		done, err = in.undo(waiting)
	default:
		done, err = in.setUpUser(waiting, o)
	}
	if ctx.Err() != nil && !slices.ContainsFunc(done, func(c configured) bool { return c.changed }) {
		return done, ctx.Err()
	}
	return done, ofSetup(err)
}

// setUpUser has the user's configuration include a file of settings. A copy of that
// configuration on another machine then names a file that is not there, which git
// reads over; the settings themselves would switch off the helpers there.
func (in invocation) setUpUser(ctx context.Context, o setupOptions) ([]configured, error) {
	file, err := gitconfig.UserFile(in.lookupenv)
	if err != nil {
		return nil, err
	}
	lines, err := in.settings(o)
	if err != nil {
		return nil, err
	}
	own, err := in.ownHelpers(ctx, gitconfig.Beside(file))
	if err != nil {
		return nil, err
	}
	lines = slices.Concat(lines, own, in.author(ctx, gitconfig.Beside(file)))
	changed, err := gitconfig.PutIncluded(ctx, file, lines)
	return []configured{{file, changed}}, err
}

// ownHelpers are the settings that put the user's own helpers for a part of the host
// back behind ours: git asks helpers in the order in which they stand, however exact
// their address is, so our empty one takes them off, too. Where they count, ours does
// not. The empty ones come first, for all of them, since one may be for a part of
// another's part.
func (in invocation) ownHelpers(ctx context.Context, ours string) (lines []string, err error) {
	host, err := githubURL(in.getenv)
	program, found := in.gitAtHome()
	if err != nil || !found {
		return nil, err
	}
	helpers, err := program.Helpers(ctx, host)
	var refused *git.Error
	if errors.As(err, &refused) {
		return nil, &commandError{exit: exitFailed, code: "git_config_broken", message: cannotRead + refused.Text + ".",
			hint: brokenFix}
	}
	if err != nil {
		return nil, err
	}
	var empty []string
	for _, helper := range slices.Concat(helpers.SwitchedOff, helpers.Narrower) {
		if helper.Origin == ours || helper.Origin == "" || strings.Contains(helper.Origin, "/.config/ghscoped/") {
			continue // what we, or a delivery, have put back before; variables come after ours in any case
		}
		header := "[credential " + gitconfig.Quote(helper.Pattern) + "]"
		if !slices.Contains(empty, header) {
			empty = append(empty, header, "\thelper =")
		}
		lines = append(lines, header, "\thelper = "+gitconfig.Quote(helper.Value))
	}
	return append(empty, lines...), nil
}

// setUpSystem writes the settings into the file for all users of each git: of
// several, each may have been built to read its own.
func (in invocation) setUpSystem(ctx context.Context, o setupOptions) (done []configured, err error) {
	files, err := in.systemFiles(ctx)
	if err != nil {
		return nil, err
	}
	change := gitconfig.Remove
	if !o.undo {
		lines, err := in.settings(o)
		if err != nil {
			return nil, err
		}
		change = func(ctx context.Context, file string) (bool, error) {
			_ = os.Mkdir(filepath.Dir(file), 0o755) // of PREFIX/etc; else Put says what is wrong
			return gitconfig.Put(ctx, file, lines)
		}
	}
	for _, file := range files {
		changed, err := change(ctx, file)
		if err != nil {
			return done, err
		}
		done = append(done, configured{file, changed})
	}
	return done, nil
}

// systemFiles are those that the gits of this machine read for all users; where there
// is no git yet, the usual one.
func (in invocation) systemFiles(ctx context.Context) ([]string, error) {
	if text, set := in.lookupenv("GIT_CONFIG_NOSYSTEM"); set && git.True(text) {
		return nil, &gitconfig.Error{Code: gitconfig.Off, File: "GIT_CONFIG_NOSYSTEM"}
	}
	if text, set := in.lookupenv("GIT_CONFIG_SYSTEM"); set && text == "" {
		return nil, &gitconfig.Error{Code: gitconfig.Off, File: "GIT_CONFIG_SYSTEM"}
	}
	var files []string
	for _, program := range git.OnPath(in.getenv("PATH")) {
		file, err := program.SystemFile(ctx)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(files, file) {
			files = append(files, file)
		}
	}
	if len(files) == 0 {
		files = []string{"/etc/gitconfig"}
	}
	return files, nil
}

// undo looks into each file that setup may have chosen.
func (in invocation) undo(ctx context.Context) (done []configured, err error) {
	files, err := gitconfig.UserFiles(in.lookupenv)
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		if changed, err := gitconfig.Remove(ctx, file); changed || err != nil {
			return []configured{{file, changed}}, err
		}
	}
	return []configured{{name: files[0]}}, nil
}

// proveSetup has each git look for a credential, and fails where it does not ask
// this program, and nobody else.
func (in invocation) proveSetup(ctx context.Context, system bool) error {
	trials, err := in.tryGits(ctx, system)
	if errors.Is(err, git.ErrMissing) {
		newPrinter(in.stdout, in.getenv).line("There is no git here yet to try that with.")
		return nil
	}
	if err != nil {
		return err
	}
	for _, t := range trials {
		if err := t.afterSetup(); err != nil {
			return err
		}
	}
	return nil
}

func ofSetup(err error) error {
	var e *gitconfig.Error
	if !errors.As(err, &e) {
		return err
	}
	f := &commandError{exit: exitFailed, code: e.Code}
	switch e.Code {
	case gitconfig.Busy:
		f.message = "Somebody else is changing " + e.File + "."
		f.hint = "Do this again; if no git runs, remove " + e.File + ".lock."
	case gitconfig.Off:
		f.message = "git reads no such configuration here: " + e.File + " switches it off."
		f.hint = "Do this again after: unset " + e.File
	case gitconfig.NotAFile:
		f.message = e.File + " is not a file, and git keeps no settings there."
		f.hint = "Remove it, or change the variable that names it: GIT_CONFIG_GLOBAL, with --system GIT_CONFIG_SYSTEM."
	default:
		f.message = e.File + " cannot be written: a permission, a read-only file system or a mount prevents it."
		f.hint = "Have GIT_CONFIG_GLOBAL name a file in a folder of your own; or an administrator runs ghscoped setup --system, in the image."
	}
	return f
}

// settings are git's for one host. The empty helper comes first: it takes every
// other helper off this host, so that none is given a copy to keep.
func (in invocation) settings(o setupOptions) ([]string, error) {
	host, err := githubURL(in.getenv)
	if err != nil {
		return nil, err
	}
	program, err := ownPath()
	if err != nil {
		return nil, err
	}
	lines := []string{
		`[credential "` + host.String() + `"]`, "\thelper =", "\thelper = " + helperLine(program),
	}
	if o.useHTTPPath {
		lines = append(lines, "\tuseHttpPath = true # by ghscoped setup")
	}
	if o.rewriteSSH {
		lines = append(lines, gitconfig.RewriteSSH(host.String()+"/", host.Hostname())...)
	}
	return lines, nil
}

// helperLine is how git calls this program: by its path, which saves git the
// search and one process. A path that a shell would take apart is quoted.
func helperLine(program string) string {
	if strings.ContainsFunc(program, func(r rune) bool { return !strings.ContainsRune(plainRunes, r) }) {
		quoted := "!'" + strings.ReplaceAll(program, "'", `'\''`) + "' " + helperName
		return gitconfig.Quote(quoted)
	}
	return program + " " + helperName
}

const plainRunes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+@"

// ownPath is where this program is: by the name that PATH finds it under, if
// that is it, since what the name links to may change with the next version.
func ownPath() (string, error) {
	own, err := os.Executable()
	if err != nil {
		return "", err
	}
	named, err := exec.LookPath("ghscoped")
	if err != nil {
		return own, nil
	}
	if a, errA := os.Stat(own); errA == nil {
		if b, errB := os.Stat(named); errB == nil && os.SameFile(a, b) {
			return named, nil
		}
	}
	return own, nil
}

// setUpOnce has git ask this program, and nobody else, unless it does so already, by
// an image for instance; then it may still lack a name for commits.
func (in invocation) setUpOnce(ctx context.Context) error {
	wanted := in.repositoryWanted(ctx)
	trials, err := in.tryGits(ctx, false)
	if err != nil && !errors.Is(err, git.ErrMissing) {
		return err
	}
	good := func(t trial) bool {
		return t.afterSetup() == nil && (!wanted || t.git.Bool(ctx, "credential.useHttpPath", t.host))
	}
	if len(trials) > 0 && !slices.ContainsFunc(trials, func(t trial) bool { return !good(t) }) {
		in.addAuthor(ctx)
		return nil
	}
	if _, err := in.setUp(ctx, setupOptions{useHTTPPath: wanted}); err != nil || len(trials) == 0 {
		return err
	}
	return in.proveSetup(ctx, false)
}

// repositoryWanted reports whether the service, if there is one that answers,
// wants to be told the repository.
func (in invocation) repositoryWanted(ctx context.Context) bool {
	service, err := in.service()
	if err != nil {
		return false
	}
	host, err := githubURL(in.getenv)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, wishLimit)
	defer cancel()
	return service.WantsRepository(ctx, host.Scheme, host.Host)
}
