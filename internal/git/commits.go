package git

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Commit is one commit of a repository.
type Commit struct {
	OID, Tree   string
	Parents     []string
	AuthorName  string
	AuthorEmail string
	// Message is all of it, in UTF-8.
	Message string
}

// Modes of what a path may be, as git writes them.
const (
	ModeNone      = "000000"
	ModeFile      = "100644"
	ModeProgram   = "100755"
	ModeLink      = "120000"
	ModeSubmodule = "160000"
)

// Change is what a commit does to one path.
type Change struct {
	Path string
	// Before and After are modes; ModeNone: there is nothing.
	Before, After string
	// Blob is the content afterwards.
	Blob string
}

// Branch is the branch that the repository is on; empty where it is on none.
func (p Program) Branch(ctx context.Context) (string, error) {
	if _, err := p.run(ctx, nil, "rev-parse", "--git-dir"); err != nil {
		return "", err
	}
	out, err := p.run(ctx, nil, "symbolic-ref", "--quiet", "HEAD")
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	branch, found := strings.CutPrefix(strings.TrimSpace(out), "refs/heads/")
	if err != nil || !found {
		return "", nil
	}
	return branch, nil
}

// Resolve is the commit that a name stands for; ok is false where there is none.
func (p Program) Resolve(ctx context.Context, name string) (oid string, ok bool) {
	out, err := p.run(ctx, nil, "rev-parse", "--verify", "--quiet", name+"^{commit}")
	return strings.TrimSpace(out), err == nil
}

// FetchBranch brings a branch of an address into the tracking branch of a remote; found
// is false where there is no such branch.
func (p Program) FetchBranch(ctx context.Context, address, remote, branch string) (oid string, found bool, err error) {
	out, err := p.run(ctx, nil, "ls-remote", "--quiet", address, "refs/heads/"+branch)
	if err != nil {
		return "", false, err
	}
	if strings.TrimSpace(out) == "" {
		return "", false, nil
	}
	tracking := "refs/remotes/" + remote + "/" + branch
	_, err = p.run(ctx, nil, "fetch", "--quiet", "--no-tags", "--no-recurse-submodules", address, "+refs/heads/"+branch+":"+tracking)
	if err != nil {
		return "", false, err
	}
	oid, found = p.Resolve(ctx, tracking)
	return oid, found, ctx.Err()
}

// IsAncestor reports whether a commit is a part of another one's history.
func (p Program) IsAncestor(ctx context.Context, old, young string) bool {
	_, err := p.run(ctx, nil, "merge-base", "--is-ancestor", old, young)
	return err == nil
}

// MergeBase is the youngest commit that two have in common; empty: none.
func (p Program) MergeBase(ctx context.Context, a, b string) string {
	out, err := p.run(ctx, nil, "merge-base", a, b)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(out)
}

// commitFields are what Commits reads of each.
const commitFields = "%H%x00%T%x00%P%x00%an%x00%ae%x00%B"

// Commits are those that a name has and others have not, the oldest first. "--remotes"
// stands for all tracking branches.
func (p Program) Commits(ctx context.Context, name string, not ...string) ([]Commit, error) {
	args := []string{"log", "-z", "--reverse", "--topo-order", "--no-show-signature", "--no-decorate", "--encoding=UTF-8", "--format=" + commitFields, name, "--not"}
	out, err := p.run(ctx, nil, append(append(args, not...), "--")...)
	if err != nil {
		return nil, err
	}
	fields := strings.Split(out, "\x00")
	var commits []Commit
	for ; len(fields) > 6; fields = fields[6:] {
		commits = append(commits, Commit{OID: fields[0], Tree: fields[1], Parents: strings.Fields(fields[2]),
			AuthorName: fields[3], AuthorEmail: fields[4], Message: strings.ToValidUTF8(fields[5], "\uFFFD")})
	}
	return commits, nil
}

// Signed reports whether a commit carries a signature, whoever's.
func (p Program) Signed(ctx context.Context, commit string) bool {
	out, err := p.run(ctx, nil, "cat-file", "commit", commit)
	head, _, _ := strings.Cut(out, "\n\n")
	return err == nil && strings.Contains(head, "\ngpgsig")
}

// Changes are what a commit changes of its parent's files. A rename is two changes.
func (p Program) Changes(ctx context.Context, parent, commit string) ([]Change, error) {
	out, err := p.run(ctx, nil, "diff-tree", "-r", "-z", "--raw", "--no-renames", "--ignore-submodules=none", parent, commit)
	if err != nil {
		return nil, err
	}
	parts := strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
	var changes []Change
	for ; len(parts) > 1; parts = parts[2:] {
		fields := strings.Fields(strings.TrimPrefix(parts[0], ":"))
		if len(fields) != 5 {
			return nil, fmt.Errorf("git diff-tree: %.80q", parts[0])
		}
		changes = append(changes, Change{Path: parts[1], Before: fields[0], After: fields[1], Blob: fields[3]})
	}
	return changes, nil
}

// Sizes are those of blobs, in bytes.
func (p Program) Sizes(ctx context.Context, blobs []string) (map[string]int64, error) {
	sizes := map[string]int64{}
	if len(blobs) == 0 {
		return sizes, nil
	}
	out, err := p.run(ctx, []byte(strings.Join(blobs, "\n")+"\n"), "cat-file", "--batch-check=%(objectname) %(objectsize)")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(out) {
		oid, size, _ := strings.Cut(strings.TrimSpace(line), " ")
		if sizes[oid], err = strconv.ParseInt(size, 10, 64); err != nil {
			return nil, fmt.Errorf("git cat-file: %.80q", line)
		}
	}
	return sizes, nil
}

// Contents are those of blobs.
func (p Program) Contents(ctx context.Context, blobs []string) (map[string][]byte, error) {
	contents := map[string][]byte{}
	if len(blobs) == 0 {
		return contents, nil
	}
	out, err := p.run(ctx, []byte(strings.Join(blobs, "\n")+"\n"), "cat-file", "--batch=%(objectname) %(objectsize)")
	if err != nil {
		return nil, err
	}
	for rest := bufio.NewReader(strings.NewReader(out)); ; {
		line, err := rest.ReadString('\n')
		if errors.Is(err, io.EOF) && line == "" {
			return contents, nil
		}
		oid, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		size, sizeErr := strconv.Atoi(text)
		if err := errors.Join(err, sizeErr); err != nil {
			return nil, fmt.Errorf("git cat-file: %.80q: %w", line, err)
		}
		content := make([]byte, size+1) // a line's end comes behind it
		if _, err := io.ReadFull(rest, content); err != nil {
			return nil, fmt.Errorf("git cat-file: %w", err)
		}
		contents[oid] = content[:size]
	}
}

// MoveBranch has a branch point to another commit, while it points to the one that is
// named. Neither the index nor a file is touched.
func (p Program) MoveBranch(ctx context.Context, branch, to, from, why string) error {
	_, err := p.run(ctx, nil, "update-ref", "-m", why, "refs/heads/"+branch, to, from)
	return err
}

// WithTrailer is a message that ends with a trailer, which it gets once.
func (p Program) WithTrailer(ctx context.Context, message, trailer string) (string, error) {
	return p.run(ctx, []byte(strings.TrimRight(message, "\n")+"\n"), "interpret-trailers", "--no-divider", "--if-exists=addIfDifferent", "--trailer", trailer)
}

// Author is the address of who would be the author of a commit now; empty where git
// does not know.
func (p Program) Author(ctx context.Context) string {
	out, err := p.run(ctx, nil, "var", "GIT_AUTHOR_IDENT")
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(out, "<")
	address, _, _ := strings.Cut(rest, ">")
	return address
}

// Changed reports whether there is something that is not committed.
func (p Program) Changed(ctx context.Context) bool {
	out, err := p.run(ctx, nil, "status", "--porcelain")
	return err == nil && strings.TrimSpace(out) != ""
}

// PushLFS uploads the files of Git LFS that a remote lacks of a branch.
func (p Program) PushLFS(ctx context.Context, remote, branch string) error {
	_, err := p.run(ctx, nil, "lfs", "push", remote, branch)
	return err
}
