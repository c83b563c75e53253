package main

import (
	"context"
	"os"
	"strings"

	"github.com/ghscoped/ghscoped-service/internal/client"
	"github.com/ghscoped/ghscoped-service/internal/git"
	"github.com/ghscoped/ghscoped-service/internal/gitconfig"
)

// addAuthor gives a git that asks this program already, say by an image, a name and
// an address for commits, where it has none. What cannot be had or written is left:
// git says itself what it lacks.
func (in invocation) addAuthor(ctx context.Context) {
	program, found := in.gitAtHome()
	if !found || hasAuthor(ctx, program) {
		return
	}
	file, err := gitconfig.UserFile(in.lookupenv)
	if err != nil {
		return
	}
	lines := in.author(ctx, gitconfig.Beside(file))
	if len(lines) == 0 {
		return
	}
	kept, _ := os.ReadFile(gitconfig.Beside(file)) // no file: nothing to keep
	if text := strings.TrimSuffix(string(kept), "\n"); text != "" {
		lines = append(strings.Split(text, "\n"), lines...)
	}
	ctx, cancel := context.WithTimeout(ctx, lockLimit)
	defer cancel()
	_, _ = gitconfig.PutIncluded(ctx, file, lines)
}

func hasAuthor(ctx context.Context, program git.Program) bool {
	_, named := program.Value(ctx, "user.name")
	_, addressed := program.Value(ctx, "user.email")
	return named && addressed
}

// author are the settings for the name and the address that commits carry, each where
// the user has none: the service's, or what an earlier run has put into ours.
func (in invocation) author(ctx context.Context, ours string) (lines []string) {
	program, found := in.gitAtHome()
	if !found {
		return nil
	}
	wanted := in.authorAtGitHub(ctx)
	for _, setting := range []struct{ key, value string }{{"name", wanted.Name}, {"email", wanted.Email}} {
		if program.SetOutside(ctx, ours, "user."+setting.key) {
			continue // the user's own
		}
		kept, _ := program.ValueIn(ctx, ours, "user."+setting.key)
		if setting.value != "" {
			kept = setting.value
		}
		if kept != "" {
			lines = append(lines, "[user]", "\t"+setting.key+" = "+gitconfig.Quote(kept))
		}
	}
	return lines
}

// authorAtGitHub is what the service, if there is one that answers, knows of the
// person whose server this is; empty where they are not connected.
func (in invocation) authorAtGitHub(ctx context.Context) client.GitIdentity {
	service, err := in.service()
	if err != nil {
		return client.GitIdentity{}
	}
	ctx, cancel := context.WithTimeout(ctx, wishLimit)
	defer cancel()
	connection, err := service.Connection(ctx)
	if err != nil || connection.Git == nil {
		return client.GitIdentity{}
	}
	return *connection.Git
}

// gitAtHome is the first git on PATH, where no repository's settings count.
func (in invocation) gitAtHome() (git.Program, bool) {
	programs := git.OnPath(in.getenv("PATH"))
	if len(programs) == 0 {
		return git.Program{}, false
	}
	programs[0].Folder = in.getenv("HOME")
	return programs[0], true
}
