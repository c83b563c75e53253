package git

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// repository is a git in a repository on the branch main.
func repository(t *testing.T) Program {
	t.Helper()
	p := home(t, "[user]\n\tname = Ada\n\temail = ada@example.org\n[log]\n\tshowSignature = true\n[diff]\n\trenames = copies\n")
	p.Folder = t.TempDir()
	shell(t, p, "git init -q -b main")
	return p
}

func shell(t *testing.T, p Program, script string) string {
	t.Helper()
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir, cmd.Env = p.Folder, append(os.Environ(), p.Env...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return strings.TrimSpace(string(out))
}

func TestProgramBranch(t *testing.T) {
	t.Parallel()
	p := repository(t)
	requireBranch := func(want string) {
		t.Helper()
		branch, err := p.Branch(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, branch)
	}
	requireBranch("main")
	shell(t, p, "git commit -q --allow-empty -m x; git switch -q -c a/b")
	requireBranch("a/b")
	shell(t, p, "git switch -q --detach")
	requireBranch("")
	_, err := home(t, "").Branch(t.Context())
	require.Error(t, err, "no repository")
}

func TestProgramCommits(t *testing.T) {
	t.Parallel()
	p := repository(t)
	shell(t, p, `git commit -q --allow-empty -m first
git -c i18n.commitEncoding=latin1 commit -q --allow-empty -F - --author 'Grace <g@example.org>' <<END
$(printf 'gr\374n')

  More of it.

Signed-off-by: G
END
git commit -q --allow-empty --allow-empty-message -m ''
git switch -q -c side HEAD~1; git commit -q --allow-empty -m side; git switch -q main; git merge -q --no-edit side`)
	commits, err := p.Commits(t.Context(), "refs/heads/main", "main~2")
	require.NoError(t, err)
	require.Len(t, commits, 3)
	require.Empty(t, strings.TrimSpace(commits[0].Message))
	require.Len(t, commits[2].Parents, 2)
	commits, err = p.Commits(t.Context(), "main~1", "main~3")
	require.NoError(t, err)
	require.Equal(t, "grün\n\n  More of it.\n\nSigned-off-by: G\n", commits[0].Message)
	require.Equal(t, "Grace", commits[0].AuthorName)
	require.Equal(t, "g@example.org", commits[0].AuthorEmail)
	require.Equal(t, commits[0].OID, commits[1].Parents[0])
	require.Equal(t, shell(t, p, "git rev-parse main~2^{tree}"), commits[0].Tree)

	oid, ok := p.Resolve(t.Context(), "main~2")
	require.True(t, ok)
	require.Equal(t, commits[0].OID, oid)
	_, ok = p.Resolve(t.Context(), "nothing")
	require.False(t, ok)
	require.True(t, p.IsAncestor(t.Context(), "side", "main"))
	require.False(t, p.IsAncestor(t.Context(), "main", "side"))
	require.Equal(t, commits[0].OID, p.MergeBase(t.Context(), "side", "main~1"))
	require.Empty(t, p.MergeBase(t.Context(), "side", "nothing"))
	require.False(t, p.Signed(t.Context(), "main"))
}

func TestProgramChangesAndContents(t *testing.T) {
	t.Parallel()
	p := repository(t)
	name := "two\nlines „x“\t.bin"
	shell(t, p, "echo a >a; echo r >r; echo x >x; ln -s a link; chmod +x x; git add .; git commit -q -m 1")
	require.NoError(t, os.WriteFile(filepath.Join(p.Folder, name), []byte("\x00\n\xff"), 0o600))
	shell(t, p, "git mv r renamed; git rm -q x link; : >empty; chmod +x a; git add .; git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),sub; git commit -q -m 2")
	changes, err := p.Changes(t.Context(), "main~1", "main")
	require.NoError(t, err)
	modes, blobs := map[string][2]string{}, []string{}
	for _, c := range changes {
		modes[c.Path] = [2]string{c.Before, c.After}
		if c.After != ModeNone && c.After != ModeSubmodule {
			blobs = append(blobs, c.Blob)
		}
	}
	require.Equal(t, map[string][2]string{
		"a": {ModeFile, ModeProgram}, "r": {ModeFile, ModeNone}, "renamed": {ModeNone, ModeFile}, "x": {ModeProgram, ModeNone},
		"link": {ModeLink, ModeNone}, "empty": {ModeNone, ModeFile}, name: {ModeNone, ModeFile}, "sub": {ModeNone, ModeSubmodule},
	}, modes)

	sizes, err := p.Sizes(t.Context(), blobs)
	require.NoError(t, err)
	contents, err := p.Contents(t.Context(), blobs)
	require.NoError(t, err)
	require.Len(t, contents, 4)
	for _, c := range changes {
		if content, known := contents[c.Blob]; known {
			require.EqualValues(t, len(content), sizes[c.Blob])
			require.Equal(t, map[string]string{"a": "a\n", "renamed": "r\n", "empty": "", name: "\x00\n\xff"}[c.Path], string(content), c.Path)
		}
	}
	contents, err = p.Contents(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, contents)
	_, err = p.Contents(t.Context(), []string{strings.Repeat("1", 40)})
	require.Error(t, err)
	_, err = p.Sizes(t.Context(), []string{strings.Repeat("1", 40)})
	require.Error(t, err)
}

func TestProgramMoveBranchLeavesWhatIsChanged(t *testing.T) {
	t.Parallel()
	p := repository(t)
	shell(t, p, "echo 1 >a; git add .; git commit -q -m 1; git commit -q --amend -m other; git tag other; echo 2 >a; echo 3 >b; git add b")
	before := shell(t, p, "git rev-parse main@{1}")
	require.Error(t, p.MoveBranch(t.Context(), "main", before, before, "why"), "it points elsewhere")
	now := shell(t, p, "git rev-parse main")
	require.NoError(t, p.MoveBranch(t.Context(), "main", before, now, "why"))
	require.Equal(t, before, shell(t, p, "git rev-parse HEAD"))
	require.Equal(t, "M a\nA  b", shell(t, p, "git status --porcelain"))
	require.Equal(t, "why", shell(t, p, "git reflog -1 --format=%gs main"))
	require.True(t, p.Changed(t.Context()))
	shell(t, p, "git reset -q --hard")
	require.False(t, p.Changed(t.Context()))
}

func TestProgramWithTrailerAddsItOnce(t *testing.T) {
	t.Parallel()
	p := repository(t)
	const trailer = "Co-authored-by: Ada <ada@example.org>"
	for message, want := range map[string]string{
		"x": "x\n\n" + trailer + "\n", "x\n\nbody\n---\nmore\n": "x\n\nbody\n---\nmore\n\n" + trailer + "\n",
		"x\n\nSigned-off-by: B <b@example.org>\n": "x\n\nSigned-off-by: B <b@example.org>\n" + trailer + "\n",
		"x\n\n" + trailer + "\n":                  "x\n\n" + trailer + "\n",
	} {
		got, err := p.WithTrailer(t.Context(), message, trailer)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func TestProgramAuthor(t *testing.T) {
	t.Parallel()
	p := repository(t)
	require.Equal(t, "ada@example.org", p.Author(t.Context()))
	p.Env = append(p.Env, "GIT_AUTHOR_EMAIL=7+x[bot]@users.noreply.github.com")
	require.Equal(t, "7+x[bot]@users.noreply.github.com", p.Author(t.Context()))
}

func TestProgramPushRemote(t *testing.T) {
	t.Parallel()
	p := repository(t)
	require.Equal(t, "origin", p.PushRemote(t.Context(), "main"))
	for _, step := range []struct{ setting, want string }{
		{"branch.main.remote upstream", "upstream"}, {"remote.pushDefault fork", "fork"}, {"branch.main.pushRemote own", "own"},
	} {
		shell(t, p, "git config "+step.setting)
		require.Equal(t, step.want, p.PushRemote(t.Context(), "main"))
	}
}

func TestProgramFetchBranch(t *testing.T) {
	t.Parallel()
	there, here := repository(t), repository(t)
	shell(t, there, "git commit -q --allow-empty -m 1; git switch -q -c a/b; git commit -q --allow-empty -m 2")
	oid, found, err := here.FetchBranch(t.Context(), there.Folder, "origin", "a/b")
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, shell(t, there, "git rev-parse a/b"), oid)
	require.Equal(t, oid, shell(t, here, "git rev-parse refs/remotes/origin/a/b"))
	_, found, err = here.FetchBranch(t.Context(), there.Folder, "origin", "b")
	require.NoError(t, err)
	require.False(t, found, "the end of another name")
	_, _, err = here.FetchBranch(t.Context(), there.Folder+"/nothing", "origin", "main")
	require.Error(t, err)
}
