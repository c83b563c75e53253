package main

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/check"
	"github.com/ghscoped/ghscoped-service/internal/credential"
	"github.com/ghscoped/ghscoped-service/internal/git"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// trialVariable has our helper answer a trial: with this password, and without a
// question to the service; or with nothing at all.
const (
	trialVariable = "GHSCOPED_TRIAL"
	trialSilence  = "-"
)

// trialLimit bounds one trial; a helper of the user's may wait for somebody.
const trialLimit = 10 * time.Second

// source is whom a git has a credential from.
type source int

const (
	fromNobody    source = iota
	fromGhscoped         // it asks this program
	fromDelivered        // it reads the credential that was put into this home
	fromOther
)

// trial is what came of having a git look for a credential for the served GitHub.
type trial struct {
	git     git.Program
	host    *url.URL
	from    source
	helpers git.Helpers
	// byVariables: git may be set up by GIT_CONFIG_COUNT, behind which nothing comes.
	byVariables bool
	// broken is git's word on a configuration that it cannot read.
	broken string
}

// tryGits tries each git on PATH; asSystem as one that is in no repository and has no
// settings of a user's, as in an image.
func (in invocation) tryGits(ctx context.Context, asSystem bool) ([]trial, error) {
	programs := git.OnPath(in.getenv("PATH"))
	if len(programs) == 0 {
		return nil, git.ErrMissing
	}
	host, err := githubURL(in.getenv)
	if err != nil {
		return nil, err
	}
	var trials []trial
	for _, program := range programs {
		if asSystem {
			program.Folder = "/"
			program.Env = []string{"HOME=/nonexistent", "XDG_CONFIG_HOME=", "GIT_CONFIG_GLOBAL=" + os.DevNull}
		}
		t, err := in.tryGit(ctx, program, host)
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			err = &commandError{exit: exitFailed, code: "git_helper_waits", message: "A credential helper of git's keeps it waiting (" + program.Path + ").",
				hint: "See which there are: git config --show-origin --get-all credential.helper"}
		}
		if err != nil {
			return nil, err
		}
		trials = append(trials, t)
	}
	return trials, nil
}

func (in invocation) tryGit(ctx context.Context, program git.Program, host *url.URL) (trial, error) {
	ctx, cancel := context.WithTimeout(ctx, trialLimit)
	defer cancel()
	t := trial{git: program, host: host, byVariables: in.getenv("GIT_CONFIG_COUNT") != ""}
	var refused *git.Error
	helpers, err := program.Helpers(ctx, host)
	if errors.As(err, &refused) {
		t.broken = refused.Text
		return t, nil
	}
	if err != nil {
		return t, err
	}
	t.helpers = helpers

	mark := rand.Text()
	program.Env = append(program.Env, trialVariable+"="+mark)
	got, err := program.Fill(ctx, host)
	kept, _ := in.keptCredential() // where it cannot be read, it is not what git got
	switch {
	case errors.As(err, &refused), err == nil && got.Password.Empty():
		t.from = fromNobody
	case err != nil:
		return t, err
	case got.Password.Reveal() == mark:
		t.from = fromGhscoped
	case !kept.Password.Empty() && got.Password.Hash() == kept.Password.Hash():
		t.from = fromDelivered
	default:
		t.from = fromOther
	}
	return t, nil
}

// What is said of a configuration that git cannot read, and what to do.
const (
	cannotRead = "git cannot read its configuration: "
	brokenFix  = "Correct that line in that file, or remove it."
)

// afterSetup is nil where git asks this program, and nobody else. Settings come last
// that were put in last; only those of a repository and of the environment come
// behind them.
func (t trial) afterSetup() *commandError {
	broken := t.result(false)
	if t.from == fromGhscoped && len(t.copies()) == 0 {
		return nil
	}
	f := &commandError{exit: exitFailed, code: "git_not_set_up", message: broken.Message + " (" + t.git.Path + ").",
		hint: "Settings of this repository, or the variables GIT_CONFIG_COUNT and GIT_CONFIG_PARAMETERS, come after those of ghscoped setup: git config --show-origin --get-all credential.helper"}
	if t.broken != "" {
		f.hint = broken.Fix
	}
	return f
}

// answerTrial answers git as in a real question, but with the word of whoever tries.
func (in invocation) answerTrial(operation, word string) error {
	request, err := credential.Parse(in.stdin)
	host, hostErr := githubURL(in.getenv)
	if err != nil || hostErr != nil || operation != "get" || word == trialSilence || !request.For(host) {
		return nil
	}
	return credential.Answer{Username: "trial", Password: secret.New(word)}.Write(in.stdout, request)
}

// ours reports whether a helper is this program, or the one that a delivery leaves.
func ours(h git.Helper) bool {
	return h.Value == "ghscoped" || strings.Contains(h.Value, helperName)
}

// others are the helpers beside ours that git asks for the whole host.
func (t trial) others() []git.Helper {
	return slices.DeleteFunc(slices.Clone(t.helpers.Asked), ours)
}

// copies are those that git has keep what ours has given.
func (t trial) copies() []git.Helper {
	if !slices.ContainsFunc(t.helpers.Asked, ours) {
		return nil
	}
	return t.others()
}

// switchedOff are helpers of the user's own for a part of the host that git does not
// ask, and that setup has not put back.
func (t trial) switchedOff() []git.Helper {
	return slices.DeleteFunc(slices.Clone(t.helpers.SwitchedOff), func(off git.Helper) bool {
		return slices.ContainsFunc(t.helpers.Narrower, func(on git.Helper) bool { return on.Pattern == off.Pattern && on.Value == off.Value })
	})
}

// result says for doctor, and for whoever has set git up, how git stands.
func (t trial) result(alone bool) check.Result {
	name := t.host.String()
	switch {
	case t.broken != "":
		return check.Failed(cannotRead+t.broken, brokenFix)
	case t.from == fromOther:
		return check.Failed("git has another credential for "+name+", from "+t.whence()+", and not one of ghscoped's", "Run ghscoped setup.")
	case t.from == fromNobody:
		return t.nobody(alone)
	}
	if copies := t.copies(); len(copies) > 0 {
		return check.Warned("git gives a copy of each token to "+listed(copies), "Run ghscoped setup to have git ask nobody but ghscoped for "+name+".")
	}
	if off := t.switchedOff(); len(off) > 0 {
		fix := "Run ghscoped setup, which puts it back."
		if t.byVariables {
			fix = "For that account unset the variables that have git ask ghscoped: env -u GIT_CONFIG_COUNT git push"
		}
		return check.Warned("git no longer asks "+listed(off)+", since it asks nobody but ghscoped for "+name, fix)
	}
	switch {
	case t.from == fromDelivered && !alone:
		return check.Warned("git reads the token that was put into this server for "+name, "Run ghscoped setup to have it ask ghscoped each time.")
	case t.from == fromDelivered:
		return check.Passed("git reads the token that ghscoped login has put here for " + name)
	}
	return check.Passed("git asks ghscoped for " + name)
}

// whence names where another credential may be from.
func (t trial) whence() string {
	if others := t.others(); len(others) > 0 {
		return listed(others)
	}
	return "its configuration"
}

// nobody says why no credential came.
func (t trial) nobody(alone bool) check.Result {
	name := t.host.String()
	fix := "Run ghscoped setup."
	if alone {
		fix = "Run ghscoped login."
	}
	for _, helper := range slices.Backward(t.helpers.Asked) {
		if !ours(helper) {
			continue
		}
		if alone || !strings.HasSuffix(helper.Value, helperName) && helper.Value != "ghscoped" {
			return check.Failed("git reads the token that was put into this home for "+name+", and there is none any more", fix)
		}
		return check.Failed("git is set up to ask "+helper.Name()+" ("+helper.Where()+"), which does not answer: it may be gone", fix)
	}
	return check.Failed("git does not ask ghscoped for "+name, fix)
}

// listed names helpers, each with where it was set.
func listed(helpers []git.Helper) string {
	var names []string
	for _, h := range helpers {
		names = append(names, "“"+secret.Scrub(h.Name())+"” (set in "+h.Where()+")")
	}
	return strings.Join(names, ", ")
}
