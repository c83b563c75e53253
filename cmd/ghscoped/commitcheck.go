package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/git"
)

const (
	// maxCommit bounds a commit as it is sent, in base64: GitHub does not say how much
	// it takes, and has been seen to take 40 MB of files and refuse 40 MiB.
	maxCommit = 50_000_000
	// maxPointer bounds a pointer of Git LFS (its specification).
	maxPointer = 1024
)

// refuses is a commit that cannot be made at GitHub so that it is the same.
func refuses(c git.Commit, code, what, hint string) error {
	return &commandError{exit: exitFailed, code: code, message: "Commit " + shownCommit(c) + " " + what, hint: hint}
}

func shownCommit(c git.Commit) string { return short(c.OID) }

// checkCommit refuses what GitHub's call has no place for.
func checkCommit(c git.Commit) error {
	switch {
	case strings.TrimSpace(c.Message) == "":
		return refuses(c, "message_missing", "has no message.", "Give it one: git commit --amend, or git rebase --interactive.")
	case len(c.Parents) == 1:
		return nil
	case len(c.Parents) == 0:
		return refuses(c, "root_commit", "is the first of its history; GitHub makes commits only on top of others.",
			"Push a first commit with git, or begin the branch at one of the remote's.")
	}
	return refuses(c, "merge_commit", "is a merge, which GitHub's call cannot make.",
		"Rebase instead of merging: git rebase; or let GitHub merge a pull request.")
}

// check refuses, before anything is made, what GitHub would make otherwise or not at all;
// then it uploads the files of Git LFS, which commits only point to.
func (p *publisher) check(ctx context.Context, plan plan) error {
	commits := plan.commits[len(plan.there):]
	var blobs []string
	for _, c := range commits {
		for _, change := range c.changes {
			if err := checkChange(c.Commit, change); err != nil {
				return err
			}
			if change.After != git.ModeNone {
				blobs = append(blobs, change.Blob)
			}
		}
	}
	sizes, err := p.git.Sizes(ctx, blobs)
	if err != nil {
		return err
	}
	for _, c := range commits {
		if err := checkSize(c, sizes); err != nil {
			return err
		}
	}
	return p.uploadLFS(ctx, sizes)
}

// checkChange refuses all but ordinary files, and deletions: whatever GitHub's call adds
// becomes one.
func checkChange(c git.Commit, change git.Change) error {
	path := fmt.Sprintf("%.200q", change.Path)
	switch {
	case change.Before == git.ModeSubmodule || change.After == git.ModeSubmodule:
		return refuses(c, "submodule", "changes the submodule "+path+", which GitHub's call cannot do.", "Leave that to a person's push: GitHub verifies signatures of people's keys.")
	case !utf8.ValidString(change.Path):
		return refuses(c, "path_not_utf8", "changes the file "+path+", whose name is not in UTF-8.", "Give it a name in UTF-8: git mv.")
	case change.After == git.ModeNone:
		return nil
	case change.After == git.ModeLink || change.Before == git.ModeLink:
		return refuses(c, "symlink", "changes the symbolic link "+path+", of which GitHub's call would make a file.", "Leave links to a person's push, or commit a file in its place under another name.")
	case change.After == git.ModeProgram || change.Before == git.ModeProgram:
		return refuses(c, "executable_file", "changes "+path+", which is executable or was; GitHub's call would take that from it.",
			"Leave the change of this file to a person's push, or start it by its interpreter (sh FILE) and commit it without: git update-index --chmod=-x FILE.")
	}
	return nil
}

func checkSize(c localCommit, sizes map[string]int64) error {
	var total int64
	for _, change := range c.changes {
		total += int64(len(change.Path))
		if change.After != git.ModeNone {
			total += (sizes[change.Blob] + 2) / 3 * 4
		}
	}
	if total <= maxCommit {
		return nil
	}
	return refuses(c.Commit, apierror.CodeTooLarge, fmt.Sprintf("takes %d MB to send; GitHub's call takes about %d.", total/1_000_000, maxCommit/1_000_000),
		"Make several commits of it, or keep large files in Git LFS.")
}

// uploadLFS uploads what pointers among these blobs stand for, as a push does.
func (p *publisher) uploadLFS(ctx context.Context, sizes map[string]int64) error {
	var small []string
	for blob, size := range sizes {
		if size < maxPointer {
			small = append(small, blob)
		}
	}
	contents, err := p.git.Contents(ctx, small)
	if err != nil {
		return err
	}
	for _, content := range contents {
		if !bytes.HasPrefix(content, []byte("version https://git-lfs.github.com/spec/")) {
			continue
		}
		if err := p.git.PushLFS(ctx, p.remote, p.branch); err != nil {
			return &commandError{exit: exitFailed, code: "lfs_not_pushed", message: "Git LFS could not upload the large files of these commits: " + gitsWord(err),
				hint: "See why: git lfs push " + p.remote + " " + p.branch}
		}
		return nil
	}
	return nil
}
