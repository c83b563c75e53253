package main

import (
	"context"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/git"
	"github.com/ghscoped/ghscoped-service/internal/github"
)

// fakeMaker makes commits in a folder, of octo/course, as GitHub would.
type fakeMaker struct {
	t      *testing.T
	folder string // octo/course.git, and a clone of it
	git    git.Program
	// before sees each commit before it is made, after what is asked next.
	before func(*github.Commit)
	after  func() error
	asked  int
}

func (f *fakeMaker) shell(folder, script string) string {
	f.t.Helper()
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir, cmd.Env = filepath.Join(f.folder, folder), append(os.Environ(), f.git.Env...)
	out, err := cmd.CombinedOutput()
	require.NoError(f.t, err, "%s", out)
	return strings.TrimSpace(string(out))
}

func (f *fakeMaker) CommitOnBranch(_ context.Context, _ github.InstallationToken, c github.Commit) (github.SignedCommit, error) {
	f.asked++
	if f.shell("octo/course.git", "git rev-parse "+c.Branch) != c.Parent {
		return github.SignedCommit{}, &apierror.Error{Code: apierror.CodeBranchMoved}
	}
	if f.before != nil {
		f.before(&c)
	}
	f.shell("clone", "git fetch -q; git switch -q -C "+c.Branch+" "+c.Parent)
	for _, path := range c.Deletions {
		f.shell("clone", "git rm -q '"+path+"'")
	}
	for _, a := range c.Additions {
		require.NoError(f.t, os.WriteFile(filepath.Join(f.folder, "clone", a.Path), a.Content, 0o600))
	}
	require.NoError(f.t, os.WriteFile(filepath.Join(f.folder, "message"), []byte(c.Headline+"\n\n"+c.Body), 0o600))
	oid := f.shell("clone", "git add .; git commit -q --allow-empty --author 'bot <bot@example.org>' -F ../message; git push -q origin HEAD:"+c.Branch+"; git rev-parse HEAD")
	if f.after != nil {
		return github.SignedCommit{OID: oid, Verified: true}, f.after()
	}
	return github.SignedCommit{OID: oid, Verified: true}, nil
}

func (f *fakeMaker) CreateBranch(_ context.Context, _ github.InstallationToken, _, branch, commit string) error {
	f.shell("octo/course.git", "git branch "+branch+" "+commit)
	return nil
}

// newFakePublisher has two commits on main that GitHub lacks.
func newFakePublisher(t *testing.T) (*publisher, *fakeMaker) {
	t.Helper()
	folder := t.TempDir()
	program := git.OnPath(os.Getenv("PATH"))[0]
	program.Env = []string{"HOME=" + folder, "XDG_CONFIG_HOME=", "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.org",
		"GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.org"}
	f := &fakeMaker{t: t, folder: folder, git: program}
	f.shell("", `mkdir octo; git init -q --bare -b main octo/course.git; git clone -q octo/course.git clone 2>&1
cd clone; git switch -q -c main; echo 1 >one; git add .; git commit -q -m first; git push -q origin main; cd ..
git clone -q octo/course.git work; cd work; echo 2 >one; git commit -q -am second; git rm -q one; echo 3 >three; git add .; git commit -q -m third`)
	program.Folder = filepath.Join(folder, "work")
	variables := map[string]string{"GH_TOKEN": "ghs_x", "PATH": os.Getenv("PATH")}
	return &publisher{in: invocation{getenv: func(name string) string { return variables[name] }}, git: program, github: f,
		host: &url.URL{Scheme: "file", Path: folder}, remote: "origin", repository: "octo/course", branch: "main", made: func(madeCommit) {}}, f
}

func TestPublisherMakesEachCommitOnce(t *testing.T) {
	t.Parallel()
	p, f := newFakePublisher(t)
	var shown []string
	p.made = func(c madeCommit) { shown = append(shown, c.Headline) }
	f.after = func() error { // each answer is lost
		return &apierror.Error{Code: apierror.CodeGitHubUnreachable, Retryable: true}
	}
	done, err := p.publish(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, f.asked)
	require.Equal(t, []string{"second", "third"}, shown)
	require.False(t, done.Verified, "nobody said so, and these carry no signature")
	require.Equal(t, done.Head, f.shell("work", "git rev-parse main"))
	require.Equal(t, "third\nsecond\nfirst", f.shell("octo/course.git", "git log --format=%s main"))
	require.Equal(t, "Co-authored-by: Ada <ada@example.org>", f.shell("work", "git log -1 --format=%b"))
}

func TestPublisherLeavesABranchThatCannotFollow(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prepare func(p *publisher, f *fakeMaker)
		code    string
	}{
		"GitHub made other files": {func(_ *publisher, f *fakeMaker) {
			f.before = func(c *github.Commit) {
				if len(c.Deletions) > 0 {
					c.Additions[0].Content = []byte("other")
				}
			}
		}, "files_differ"},
		"somebody committed here meanwhile": {func(_ *publisher, f *fakeMaker) {
			f.before = func(*github.Commit) { f.shell("work", "git commit -q --allow-empty -m meanwhile") }
		}, "branch_changed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, f := newFakePublisher(t)
			test.prepare(p, f)
			done, err := p.publish(t.Context())
			before := f.shell("work", "git rev-parse main")
			var failure *commandError
			require.ErrorAs(t, p.failure(t.Context(), err, done), &failure)
			require.Equal(t, test.code, failure.code)
			require.NotContains(t, failure.hint, "continues")
			require.Len(t, done.Commits, 2)
			require.Equal(t, before, f.shell("work", "git rev-parse main"))
			require.NotEqual(t, done.Head, before)
		})
	}
}

func TestPublisherStopsAtWhatDoesNotPass(t *testing.T) {
	t.Parallel()
	p, f := newFakePublisher(t)
	f.after = func() error { return errors.New("broken") }
	_, err := p.publish(t.Context())
	require.ErrorContains(t, err, "broken")
	require.Equal(t, 1, f.asked)
}

func TestPublisherPlanTakesOnlyItsOwnCommitsForMade(t *testing.T) {
	t.Parallel()
	const there = "git fetch -q; git switch -q -C main origin/main; "
	for name, test := range map[string]struct {
		theirs string // made in another clone, on top of first
		here   string
		code   string
		there  int
	}{
		"nothing":                     {there: 0},
		"the first of them":           {theirs: "echo 2 >one; git commit -q -am second -m 'Co-authored-by: Ada <ada@example.org>'", there: 1},
		"the same files, other words": {theirs: "echo 2 >one; git commit -q -am other", code: "branch_moved"},
		"the same words, other files": {theirs: "echo 3 >one; git commit -q -am second -m 'Co-authored-by: Ada <ada@example.org>'", code: "branch_moved"},
		"more than ours":              {theirs: "echo 2 >one; git commit -q -am second -m 'Co-authored-by: Ada <ada@example.org>'; git rm -q one; echo 3 >three; git add .; git commit -q -m third -m 'Co-authored-by: Ada <ada@example.org>'; git commit -q --allow-empty -m more", code: "branch_moved"},
		"a history of its own":        {theirs: "git checkout -q --orphan new; git commit -q -m new", code: "branch_moved"},
		"a merge here":                {here: "git switch -q -c side HEAD~1; git commit -q --allow-empty -m side; git switch -q main; git merge -q side", code: "merge_commit"},
		"no message":                  {here: "git commit -q --allow-empty --allow-empty-message -m ''", code: "message_missing"},
		"another branch's commits":    {theirs: "git commit -q --allow-empty -m theirs; git push -q origin HEAD:other; git reset -q --hard HEAD~1", here: "git fetch -q; git reset -q --hard origin/other; git commit -q --allow-empty -m mine", code: "commits_elsewhere"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, f := newFakePublisher(t)
			if test.theirs != "" {
				f.shell("clone", there+test.theirs+"; git push -q --force origin HEAD:main")
			}
			if test.here != "" {
				f.shell("work", test.here)
			}
			plan, err := p.plan(t.Context())
			if test.code != "" {
				require.Equal(t, test.code, asCommandError(err).code, "%v", err)
				return
			}
			require.NoError(t, err)
			require.Len(t, plan.there, test.there)
			require.Len(t, plan.commits, 2)
		})
	}
}

func TestCheckChange(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ path, before, after, code string }{
		"a new file":                {"x", git.ModeNone, git.ModeFile, ""},
		"a changed file":            {"x", git.ModeFile, git.ModeFile, ""},
		"no file any more":          {"x", git.ModeFile, git.ModeNone, ""},
		"no program any more":       {"x", git.ModeProgram, git.ModeNone, ""},
		"no link any more":          {"x", git.ModeLink, git.ModeNone, ""},
		"a new program":             {"x", git.ModeNone, git.ModeProgram, "executable_file"},
		"a changed program":         {"x", git.ModeProgram, git.ModeProgram, "executable_file"},
		"a file of a program":       {"x", git.ModeProgram, git.ModeFile, "executable_file"},
		"a program of a file":       {"x", git.ModeFile, git.ModeProgram, "executable_file"},
		"a new link":                {"x", git.ModeNone, git.ModeLink, "symlink"},
		"a file of a link":          {"x", git.ModeLink, git.ModeFile, "symlink"},
		"a new submodule":           {"x", git.ModeNone, git.ModeSubmodule, "submodule"},
		"no submodule any more":     {"x", git.ModeSubmodule, git.ModeNone, "submodule"},
		"a name that is no UTF-8":   {"\xff", git.ModeNone, git.ModeFile, "path_not_utf8"},
		"none with such a name":     {"\xff", git.ModeFile, git.ModeNone, "path_not_utf8"},
		"a name with lines, UTF-8":  {"a\nö", git.ModeNone, git.ModeFile, ""},
		"a submodule made of files": {"x", git.ModeFile, git.ModeSubmodule, "submodule"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := checkChange(git.Commit{OID: strings.Repeat("1", 40)}, git.Change{Path: test.path, Before: test.before, After: test.after})
			if test.code == "" {
				require.NoError(t, err)
				return
			}
			require.Equal(t, test.code, asCommandError(err).code)
		})
	}
}

func TestCheckSize(t *testing.T) {
	t.Parallel()
	c := localCommit{changes: []git.Change{{Path: "a", After: git.ModeFile, Blob: "1"}, {Path: "b", After: git.ModeFile, Blob: "2"}, {Path: "c", After: git.ModeNone, Blob: "3"}}}
	require.NoError(t, checkSize(c, map[string]int64{"1": 37_000_000, "2": 400_000, "3": 1 << 40}))
	require.Equal(t, "too_large", asCommandError(checkSize(c, map[string]int64{"1": 37_000_000, "2": 600_000})).code)
}

func TestRepositoryAt(t *testing.T) {
	t.Parallel()
	host := &url.URL{Scheme: "https", Host: "github.com"}
	for address, want := range map[string]string{
		"https://github.com/octo/course":           "octo/course",
		"https://github.com/octo/course.git":       "octo/course",
		"https://GitHub.com:443/octo/course.git/":  "octo/course",
		"https://x:secret@github.com/octo/course":  "octo/course",
		"git@github.com:octo/course.git":           "octo/course",
		"ssh://git@ssh.github.com:443/octo/course": "octo/course",
		"https://example.org/octo/course":          "",
		"https://github.com.evil.test/octo/course": "",
		"https://github.com/octo":                  "",
		"/srv/octo/course.git":                     "",
		"../course.git":                            "",
	} {
		require.Equal(t, want, repositoryAt(address, host), address)
	}
}

func TestIsBot(t *testing.T) {
	t.Parallel()
	const bot = "7+app[bot]@users.noreply.github.com"
	require.True(t, isBot(bot, bot))
	require.False(t, isBot("49699333+dependabot[bot]@users.noreply.github.com", bot), "another one keeps its name")
	require.False(t, isBot("ada@example.org", "ada@example.org"), "a person is not the author at GitHub")
}
