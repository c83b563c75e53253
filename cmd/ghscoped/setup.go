package main

import (
	"context"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

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
	file, changed, err := in.setUp(ctx, o)
	if err != nil {
		return err
	}
	host, err := githubURL(in.getenv)
	if err != nil {
		return err
	}
	newPrinter(in.stdout, in.getenv).line(said(o, changed, host.String(), file))
	return nil
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

func (in invocation) setUp(ctx context.Context, o setupOptions) (file string, changed bool, err error) {
	waiting, cancel := context.WithTimeout(ctx, lockLimit)
	defer cancel()
	if o.undo {
		file, changed, err = in.undo(waiting, o)
	} else {
		file, changed, err = in.put(waiting, o)
	}
	if ctx.Err() != nil && !changed {
		return file, false, ctx.Err()
	}
	return file, changed, ofSetup(err)
}

func (in invocation) put(ctx context.Context, o setupOptions) (file string, changed bool, err error) {
	choose := gitconfig.UserFile
	if o.system {
		choose = gitconfig.SystemFile
	}
	file, err = choose(in.lookupenv)
	if err != nil {
		return file, false, err
	}
	host, err := githubURL(in.getenv)
	if err != nil {
		return file, false, err
	}
	own, err := ownPath()
	if err != nil {
		return file, false, err
	}
	changed, err = gitconfig.Put(ctx, file, settings(host, own, o))
	return file, changed, err
}

// undo looks into each file that setup may have chosen.
func (in invocation) undo(ctx context.Context, o setupOptions) (file string, changed bool, err error) {
	files, err := gitconfig.UserFiles(in.lookupenv)
	if o.system {
		file, err = gitconfig.SystemFile(in.lookupenv)
		files = []string{file}
	}
	if err != nil {
		return "", false, err
	}
	for _, file := range files {
		changed, err = gitconfig.Remove(ctx, file)
		if changed || err != nil {
			return file, changed, err
		}
	}
	return files[0], false, nil
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
		f.message = "git reads no such configuration here: " + e.File + " is set to nothing."
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
func settings(host *url.URL, program string, o setupOptions) []string {
	lines := []string{
		`[credential "` + host.String() + `"]`, "\thelper =", "\thelper = " + helperLine(program),
	}
	if o.useHTTPPath {
		lines = append(lines, "\tuseHttpPath = true # by ghscoped setup")
	}
	if o.rewriteSSH {
		lines = append(lines, gitconfig.RewriteSSH(host.String()+"/", host.Hostname())...)
	}
	return lines
}

// helperLine is how git calls this program: by its path, which saves git the
// search and one process. A path that a shell would take apart is quoted.
func helperLine(program string) string {
	if strings.ContainsFunc(program, func(r rune) bool { return !strings.ContainsRune(plainRunes, r) }) {
		quoted := "!'" + strings.ReplaceAll(program, "'", `'\''`) + "' " + helperName
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(quoted) + `"`
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

// setUpOnce has git ask this program, unless it does so already, by an image
// for instance.
func (in invocation) setUpOnce(ctx context.Context) error {
	host, err := githubURL(in.getenv)
	if err != nil {
		return err
	}
	wanted := in.repositoryWanted(ctx)
	if asksUs(host) && (!wanted || namesRepository(host)) {
		return nil
	}
	_, _, err = in.setUp(ctx, setupOptions{useHTTPPath: wanted})
	return err
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

// asksUs reports whether git would ask this program, last, for a host.
func asksUs(host *url.URL) bool {
	helper := gitSetting("credential.helper", host)
	return helper == "ghscoped" || strings.HasSuffix(helper, helperName)
}

// readsDelivered reports whether git would ask, last, the helper that a delivery
// leaves. That has our helper's name, but is asked with the name of its file, and
// has nothing more to say once the token in there is dead.
func readsDelivered(host *url.URL) bool {
	return !asksUs(host) && strings.Contains(gitSetting("credential.helper", host), helperName)
}

// namesRepository reports whether git says for which repository it asks.
func namesRepository(host *url.URL) bool {
	return gitSetting("credential.useHttpPath", host, "--type=bool") == "true"
}

// gitSetting is a setting of git's for a host; empty where there is none, or no
// git.
func gitSetting(name string, host *url.URL, options ...string) string {
	args := append(append([]string{"config"}, options...), "--get-urlmatch", name, host.String())
	out, err := exec.Command("git", args...).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
