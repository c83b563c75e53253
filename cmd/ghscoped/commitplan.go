package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/git"
)

// plan is what is to be made at GitHub.
type plan struct {
	// base is what the commits begin at, and head what the branch at GitHub points to;
	// empty: there is no such branch.
	base, head string
	// commits are all that the branch here has on top of base.
	commits []localCommit
	// there are GitHub's commits of the first of them, made by a run that was cut off.
	there []string
}

// localCommit is a commit as GitHub is to make it.
type localCommit struct {
	git.Commit
	headline, body string
	changes        []git.Change
}

// plan compares the branch here with the one at GitHub.
func (p *publisher) plan(ctx context.Context) (plan, error) {
	head, found, err := p.git.FetchBranch(ctx, p.address(), p.remote, p.branch)
	if err != nil {
		return plan{}, &commandError{exit: exitFailed, code: "not_fetched", message: "The branch cannot be fetched from GitHub: " + gitsWord(err),
			hint: "The job needs --repo " + p.repository + " and --permission contents:write."}
	}
	tip := "refs/heads/" + p.branch
	if _, ok := p.git.Resolve(ctx, tip); !ok {
		return plan{head: head}, nil // without a commit
	}
	made := plan{head: head, base: head}
	from := head
	switch {
	case !found:
		from = "--remotes"
	case !p.git.IsAncestor(ctx, head, tip):
		if from = p.git.MergeBase(ctx, head, tip); from == "" {
			return plan{}, p.moved()
		}
		made.base = from
	}
	commits, err := p.git.Commits(ctx, tip, from)
	if err != nil || len(commits) == 0 {
		return made, err
	}
	if made.commits, err = p.local(ctx, commits); err != nil {
		return plan{}, err
	}
	if !found {
		made.base = commits[0].Parents[0]
	}
	if err := p.onlyHere(ctx, tip, made); err != nil {
		return plan{}, err
	}
	return p.compare(ctx, made)
}

// planAgain looks what GitHub has by now of the same commits.
func (p *publisher) planAgain(ctx context.Context, before plan) (plan, error) {
	head, found, err := p.git.FetchBranch(ctx, p.address(), p.remote, p.branch)
	if err != nil || !found {
		before.head, before.there = "", nil
		return before, err
	}
	before.head = head
	return p.compare(ctx, before)
}

// local are the commits as GitHub is to make them, one on top of the other.
func (p *publisher) local(ctx context.Context, commits []git.Commit) ([]localCommit, error) {
	bot := p.git.Author(ctx)
	var list []localCommit
	for _, c := range commits {
		if err := checkCommit(c); err != nil {
			return nil, err
		}
		changes, err := p.git.Changes(ctx, c.Parents[0], c.OID)
		if err != nil {
			return nil, err
		}
		message := c.Message
		if !isBot(c.AuthorEmail, bot) {
			if message, err = p.git.WithTrailer(ctx, message, "Co-authored-by: "+c.AuthorName+" <"+c.AuthorEmail+">"); err != nil {
				return nil, err
			}
		}
		made := localCommit{Commit: c, changes: changes}
		made.headline, made.body, _ = strings.Cut(strings.TrimSpace(message), "\n")
		made.headline, made.body = strings.TrimSpace(made.headline), strings.TrimSpace(made.body)
		list = append(list, made)
	}
	return list, nil
}

// isBot reports whether an author is the bot that GitHub makes the author anyway: a bot,
// and the one that commits are made as here.
func isBot(author, bot string) bool {
	return author == bot && strings.Contains(author, "[bot]@users.noreply.")
}

// onlyHere refuses commits that the remote has on another branch: they are not the bot's,
// and making them again would give the two branches different ones.
func (p *publisher) onlyHere(ctx context.Context, tip string, made plan) error {
	only, err := p.git.Commits(ctx, tip, made.base, "--remotes")
	if err != nil || len(only) == len(made.commits) {
		return err
	}
	elsewhere := made.commits[len(made.commits)-len(only)-1]
	return &commandError{exit: exitFailed, code: "commits_elsewhere",
		message: fmt.Sprintf("The remote has commit %s on another branch already.", shownCommit(elsewhere.Commit)),
		hint:    fmt.Sprintf("Bring %s there first: git push %s %s:refs/heads/%s", p.branch, p.remote, short(elsewhere.OID), p.branch)}
}

// compare finds which of the commits GitHub has on its branch already, by what they are:
// message, files and order. Where there is anything else, the branch has moved.
func (p *publisher) compare(ctx context.Context, made plan) (plan, error) {
	made.there = nil
	if made.head == "" || made.head == made.base {
		return made, nil
	}
	theirs, err := p.git.Commits(ctx, made.head, made.base)
	if err != nil {
		return plan{}, err
	}
	if len(theirs) == 0 || len(theirs) > len(made.commits) {
		return plan{}, p.moved()
	}
	for i, c := range theirs {
		ours := made.commits[i]
		if len(c.Parents) != 1 || c.Tree != ours.Tree || strings.TrimSpace(c.Message) != strings.TrimSpace(ours.headline+"\n\n"+ours.body) {
			return plan{}, p.moved()
		}
		made.there = append(made.there, c.OID)
	}
	return made, nil
}

func (p *publisher) moved() error {
	return &commandError{exit: exitFailed, code: apierror.CodeBranchMoved, message: fmt.Sprintf("%s at %s has commits that your branch does not have.", p.branch, p.repository),
		hint: fmt.Sprintf("Put yours on top of them, and do this again: git pull --rebase %s %s", p.remote, p.branch)}
}
