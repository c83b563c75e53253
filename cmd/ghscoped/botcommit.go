package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/git"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/githubapi"
	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/webaddr"
)

// newBotCommit has GitHub make the commits of the branch, in place of a push.
func newBotCommit(in invocation) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "commit [flags]",
		Short: "Push the branch as commits that GitHub makes and signs",
		Long: `bot commit makes the commits of the current branch at GitHub, one for one, as
commits of the App's bot that carry GitHub's signature, where git push would be
refused for want of one. Then it has the branch here point to them. Run it where
you would run git push: within ghscoped bot exec, or with a token in GH_TOKEN or
GITHUB_TOKEN.`,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	remote := cmd.Flags().String("remote", "", "`NAME` of the remote (default: the one that git push takes)")
	asJSON := cmd.Flags().Bool("json", false, oneJSON)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		p, err := in.newPublisher(cmd.Context(), *remote)
		if err != nil {
			return err
		}
		if !*asJSON {
			p.made = func(c madeCommit) {
				newPrinter(in.stdout, in.getenv).line("  " + short(c.Local) + " → " + short(c.OID) + "  " + printable(c.Headline))
			}
		}
		done, err := p.publish(cmd.Context())
		if err != nil {
			return p.failure(cmd.Context(), err, done)
		}
		if *asJSON {
			return printJSON(in, done)
		}
		p.report(cmd.Context(), done)
		return nil
	}
	return cmd
}

// published is what bot commit has done.
type published struct {
	Repository string       `json:"repository"`
	Branch     string       `json:"branch"`
	Head       string       `json:"head"`
	Verified   bool         `json:"verified"`
	Commits    []madeCommit `json:"commits"`
}

// madeCommit is one commit at GitHub, and the one here that it was made of.
type madeCommit struct {
	Local    string `json:"local"`
	OID      string `json:"oid"`
	URL      string `json:"url"`
	Headline string `json:"headline"`
}

// commitMaker is what a publisher asks of GitHub.
type commitMaker interface {
	CommitOnBranch(ctx context.Context, token github.InstallationToken, commit github.Commit) (github.SignedCommit, error)
	CreateBranch(ctx context.Context, token github.InstallationToken, repository, branch, commit string) error
}

// publisher makes the commits of a branch at GitHub.
type publisher struct {
	in                         invocation
	git                        git.Program
	github                     commitMaker
	host                       *url.URL
	remote, repository, branch string
	made                       func(madeCommit)
}

func (in invocation) newPublisher(ctx context.Context, remote string) (*publisher, error) {
	programs := git.OnPath(in.getenv("PATH"))
	if len(programs) == 0 {
		return nil, &commandError{exit: exitFailed, code: "no_git", message: "There is no git on PATH.", hint: "Install git."}
	}
	p := &publisher{in: in, git: programs[0], made: func(madeCommit) {}}
	var err error
	if p.github, p.host, err = in.github("commits-only", ""); err != nil {
		return nil, err
	}
	p.branch, err = p.git.Branch(ctx)
	switch {
	case err != nil:
		return nil, &commandError{exit: exitFailed, code: "no_repository", message: "This is no repository that git can read: " + gitsWord(err), hint: "Run it in the clone whose branch has the commits."}
	case p.branch == "":
		return nil, &commandError{exit: exitFailed, code: "no_branch", message: "The repository is on no branch.", hint: "Give the commits one: git switch -c NAME"}
	}
	if err := p.findRemote(ctx, remote); err != nil {
		return nil, err
	}
	return p, p.useToken(ctx)
}

// findRemote finds the repository at GitHub that a push would go to.
func (p *publisher) findRemote(ctx context.Context, name string) error {
	if name == "" {
		name = p.git.PushRemote(ctx, p.branch)
	}
	remotes, err := p.git.Remotes(ctx)
	if err != nil {
		return err
	}
	for _, remote := range remotes {
		if remote.Name != name {
			continue
		}
		p.remote = name
		for _, address := range []string{remote.Push.Used, remote.Push.Set} {
			if p.repository = repositoryAt(address, p.host); p.repository != "" {
				return nil
			}
		}
		return &commandError{exit: exitFailed, code: "remote_elsewhere", message: fmt.Sprintf("The remote %s is no repository at %s.", name, p.host.Host),
			hint: "Name another one with --remote, or another GitHub with GHSCOPED_GITHUB_URL."}
	}
	return &commandError{exit: exitFailed, code: "no_remote", message: fmt.Sprintf("There is no remote %q.", name), hint: "Name one with --remote; git remote lists them."}
}

// repositoryAt is the full name of the repository at an address of a GitHub; empty:
// it is none.
func repositoryAt(address string, host *url.URL) string {
	if bySSH(address, host) {
		address = httpsAddress(address, host)
	}
	parsed, err := url.Parse(address)
	if err != nil || !webaddr.SameHost(parsed.Scheme, parsed.Host, host.Host) {
		return ""
	}
	return github.RepositoryOfPath(strings.Trim(parsed.Path, "/"))
}

// The variables that a token is taken from outside of bot exec, as the program gh does.
var tokenVariables = []string{"GH_TOKEN", "GITHUB_TOKEN"}

// gitTokenVariable has the token for our own git, outside of bot exec.
const gitTokenVariable = "GHSCOPED_GIT_TOKEN"

// token is the job's of this moment or, outside of bot exec, the one that the
// environment has.
func (p *publisher) token(ctx context.Context) (github.InstallationToken, error) {
	if p.in.getenv(socketVariable) != "" {
		token, err := p.in.askAgent(ctx, agentQuestion{})
		return github.InstallationToken{Token: token.Token.String, IssuedAt: token.ExpiresAt.Add(-time.Hour)}, err
	}
	for _, name := range tokenVariables {
		if value := p.in.getenv(name); value != "" {
			return github.InstallationToken{Token: secret.New(value)}, nil
		}
	}
	return github.InstallationToken{}, &commandError{exit: exitUsage, code: "no_token", message: "There is no token to commit with.",
		hint: "Run this within a job: ghscoped bot exec --repo " + p.repository + " --permission contents:write -- …; or set GH_TOKEN."}
}

// useToken has our git ask for the same token, which within bot exec it does already.
func (p *publisher) useToken(ctx context.Context) error {
	token, err := p.token(ctx)
	if err != nil || p.in.getenv(socketVariable) != "" {
		return err
	}
	helper := `!f() { echo username=x-access-token; echo "password=$` + gitTokenVariable + `"; }; f`
	p.git.Env = append(configEnv(p.in.getenv, jobSettings(p.host, []string{p.repository}, helper)), gitTokenVariable+"="+token.Token.Reveal())
	return nil
}

// address is the repository's, for git.
func (p *publisher) address() string {
	return strings.TrimSuffix(p.host.String(), "/") + "/" + p.repository + ".git"
}

// publish makes what GitHub lacks, and has the branch here point to it. Where no answer
// comes it looks what is there before it asks again, so that nothing is made twice.
func (p *publisher) publish(ctx context.Context) (published, error) {
	done := published{Repository: p.repository, Branch: p.branch, Commits: []madeCommit{}}
	plan, err := p.plan(ctx)
	if err != nil || len(plan.commits) == 0 {
		done.Head = plan.head
		return done, err
	}
	if err := p.check(ctx, plan); err != nil {
		return done, err
	}
	trying, cancel := context.WithTimeout(ctx, mintLimit)
	defer cancel()
	for wait := time.Second; ; wait *= 2 {
		if err = p.makeAll(ctx, plan, &done); err == nil {
			return done, p.follow(ctx, plan, done)
		}
		stale := apierror.Is(err, apierror.CodeBranchMoved)
		refusal, known := errors.AsType[*apierror.Error](err)
		if !stale && (!known || !refusal.Retryable) {
			return done, err
		}
		select {
		case <-time.After(max(wait, refusal.RetryAfter)):
		case <-trying.Done():
			return done, err
		}
		if plan, err = p.planAgain(ctx, plan); err != nil {
			return done, err
		}
	}
}

// makeAll makes the commits that are not there yet.
func (p *publisher) makeAll(ctx context.Context, plan plan, done *published) error {
	token, err := p.token(ctx)
	if err != nil {
		return err
	}
	if plan.head == "" {
		if err := p.github.CreateBranch(ctx, token, p.repository, p.branch, plan.base); err != nil {
			return err
		}
		plan.head = plan.base
	}
	done.Verified = true
	for i, c := range plan.commits {
		if i < len(plan.there) {
			done.Verified = done.Verified && p.git.Signed(ctx, plan.there[i])
			p.note(done, i, c, plan.there[i])
			continue
		}
		if token, err = p.token(ctx); err != nil {
			return err
		}
		commit, err := p.whole(ctx, c)
		if err != nil {
			return err
		}
		commit.Parent = plan.head
		signed, err := p.github.CommitOnBranch(ctx, token, commit)
		if err != nil {
			return err
		}
		plan.head = signed.OID
		done.Verified = done.Verified && signed.Verified
		p.note(done, i, c, signed.OID)
	}
	return nil
}

// note adds the commit of a number to what is done, and tells of it once.
func (p *publisher) note(done *published, i int, c localCommit, oid string) {
	made := madeCommit{Local: c.OID, OID: oid, URL: strings.TrimSuffix(p.address(), ".git") + "/commit/" + oid, Headline: c.headline}
	done.Head = oid
	if i < len(done.Commits) {
		done.Commits[i] = made
		return
	}
	done.Commits = append(done.Commits, made)
	p.made(made)
}

// whole is a commit with the contents of its files, on top of nothing yet.
func (p *publisher) whole(ctx context.Context, c localCommit) (github.Commit, error) {
	commit := github.Commit{Repository: p.repository, Branch: p.branch, Headline: c.headline, Body: c.body}
	var blobs []string
	for _, change := range c.changes {
		if change.After == git.ModeNone {
			commit.Deletions = append(commit.Deletions, change.Path)
		} else {
			blobs = append(blobs, change.Blob)
		}
	}
	contents, err := p.git.Contents(ctx, blobs)
	if err != nil {
		return github.Commit{}, err
	}
	for _, change := range c.changes {
		if change.After != git.ModeNone {
			commit.Additions = append(commit.Additions, github.FileAddition{Path: change.Path, Content: contents[change.Blob]})
		}
	}
	return commit, nil
}

// follow has the branch here point to GitHub's last commit. Its files are those of ours,
// so nothing of the index and the folder changes, committed or not.
func (p *publisher) follow(ctx context.Context, plan plan, done published) error {
	last := plan.commits[len(plan.commits)-1]
	if _, _, err := p.git.FetchBranch(ctx, p.address(), p.remote, p.branch); err != nil {
		return &commandError{exit: exitUnreachable, code: "not_fetched", message: "The commits are at GitHub, but could not be fetched: " + gitsWord(err),
			hint: "Do this again; nothing is made twice."}
	}
	theirs, err := p.git.Commits(ctx, done.Head, plan.base)
	if err != nil {
		return err
	}
	if len(theirs) == 0 || theirs[len(theirs)-1].Tree != last.Tree {
		return &commandError{exit: exitFailed, code: "files_differ", message: "GitHub's commit " + short(done.Head) + " does not have the same files as yours. Your branch stays as it is.",
			hint: "See how they differ: git diff " + short(last.OID) + " " + short(done.Head)}
	}
	if err := p.git.MoveBranch(ctx, p.branch, done.Head, last.OID, "ghscoped bot commit"); err != nil {
		return &commandError{exit: exitFailed, code: "branch_changed", message: "The commits are at GitHub, but the branch here was changed meanwhile, and stays as it is.",
			hint: "Put what was added on top of them: git rebase --onto " + short(done.Head) + " " + short(last.OID)}
	}
	return nil
}

// report says what was done, to people.
func (p *publisher) report(ctx context.Context, done published) {
	out := newPrinter(p.in.stdout, p.in.getenv)
	if len(done.Commits) == 0 {
		out.line(fmt.Sprintf("%s at %s has all commits of yours.", printable(p.branch), p.repository))
		if p.git.Changed(ctx) {
			out.line("What is changed here is not committed yet: git commit comes first.")
		}
		return
	}
	signed := "signed by GitHub"
	if !done.Verified {
		signed = "which GitHub did not sign"
	}
	out.line(fmt.Sprintf("%s at %s has %s more, %s. Your branch points to them.", printable(p.branch), p.repository, plural(len(done.Commits), "commit"), signed))
	if !done.Verified {
		out.line("On a GitHub Enterprise Server an administrator switches that on (“web commit signing”).")
	}
}

// failure says what stands in spite of an error, and what GitHub said.
func (p *publisher) failure(ctx context.Context, err error, done published) error {
	f := *asCommandError(err)
	if ctx.Err() != nil {
		f, err = commandError{exit: exitInterrupted, code: "interrupted", message: "Interrupted."}, nil
	}
	if reason := githubapi.Reason(err); reason != "" && f.code != apierror.CodeBranchMoved {
		f.message += " GitHub says: " + fmt.Sprintf("%.500q", secret.Scrub(reason))
	}
	switch {
	case f.code == apierror.CodeTokenDead:
		f.hint = "Start the job again: ghscoped bot exec has a new one. " + tokenVariables[0] + " lasts for an hour."
	case f.code == apierror.CodeGitHubRefused:
		f.hint = "Change what it names, and do this again."
	case apierror.IsRetryable(err):
		f.hint = "Do this again later; nothing is made twice."
	}
	if n := len(done.Commits); n > 0 && f.code != "not_fetched" && f.code != "files_differ" && f.code != "branch_changed" {
		f.hint = strings.TrimSpace(f.hint + " " + plural(n, "commit") + " stayed at GitHub; what comes next continues behind.")
	}
	return &f
}

// gitsWord is what git said of an error, for people.
func gitsWord(err error) string {
	if said, ok := errors.AsType[*git.Error](err); ok && said.Text != "" {
		return said.Text
	}
	return err.Error()
}

func short(oid string) string { return oid[:min(len(oid), 10)] }
