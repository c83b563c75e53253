package github_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/github"
)

func TestParseFullName(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, full string
		ok         bool
	}{
		{"a user's", "octocat/Hello-World", true},
		{"a managed user's", "octocat_corp/papers", true},
		{"of digits", "1/2", true},
		{"dots, dashes and underscores", "octo-org/.github", true},
		{"a name of many dots", "octo/a..b", true},
		{"a name that begins with a dash", "octo/-a", true},
		{"the longest owner", strings.Repeat("a", 39) + "/papers", true},
		{"the longest name", "octo/" + strings.Repeat("a", 100), true},

		{"nothing", "", false},
		{"an owner alone", "octo", false},
		{"no owner", "/papers", false},
		{"no name", "octo/", false},
		{"three parts", "octo/papers/issues", false},
		{"a slash at the end", "octo/papers/", false},
		{"a path of git's", "octo/papers.git", false},
		{"nothing but .git", "octo/.git", false},
		{"this folder", "octo/.", false},
		{"the folder above", "octo/..", false},
		{"dots only", "octo/...", false},
		{"an owner of dots", "../papers", false},
		{"an owner with a dot", "octo.org/papers", false},
		{"an owner that is an option", "-octo/papers", false},
		{"a longer owner", strings.Repeat("a", 40) + "/papers", false},
		{"a longer name", "octo/" + strings.Repeat("a", 101), false},
		{"a pattern", "octo/*", false},
		{"an escape", "octo/pa%2fpers", false},
		{"a query", "octo/papers?x", false},
		{"a blank", "octo/pa pers", false},
		{"a line break", "octo/papers\n", false},
		{"a NUL", "octo/papers\x00", false},
		{"letters that are not ASCII", "octo/p\u0430pers", false},
		{"an owner with letters that fold to ASCII", "\u017fam/papers", false},
		{"bytes that are not UTF-8", "octo/\xffpapers", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			owner, name, ok := github.ParseFullName(test.full)
			require.Equal(t, test.ok, ok)
			if ok {
				require.Equal(t, test.full, owner+"/"+name)
			}
		})
	}
}

func TestRepositoryOfPath(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"octo/papers":              "octo/papers",
		"octo/papers.git":          "octo/papers",
		"octo/papers/":             "octo/papers",
		"octo/papers.git/":         "octo/papers",
		"octo/papers.wiki.git":     "octo/papers",
		"octo/papers.git/info/lfs": "octo/papers",
		"octo/papers/info/lfs":     "octo/papers",
		"octo/a.git.git":           "",
		"octo/.github.git":         "octo/.github",
		"":                         "",
		"/":                        "",
		"octo":                     "",
		"octo/":                    "",
		"octo/.git":                "",
		"octo/.wiki.git":           "",
		"octo/..":                  "",
		"octo/../other":            "",
		"octo//papers":             "",
		"/octo/papers":             "",
		"./octo/papers":            "",
		"../papers":                "",
		"octo/papers?x":            "",
		"octo/pa pers.git":         "",
		"octo/papers\n.git":        "",
	} {
		require.Equal(t, want, github.RepositoryOfPath(path), "%q", path)
	}
}

// What is taken for a name can stand in an address as it is.
func FuzzParseFullName(f *testing.F) {
	for _, seed := range []string{"octo/papers", "octo/papers.git", "../..", "a/b/c", "-/-", "a_b/.c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, full string) {
		owner, name, ok := github.ParseFullName(full)
		if !ok {
			return
		}
		require.Equal(t, full, owner+"/"+name)
		require.Regexp(t, `^[A-Za-z0-9_][A-Za-z0-9_-]{0,38}/[A-Za-z0-9._-]{1,100}$`, full)
		require.Equal(t, full, github.RepositoryOfPath(full+".git"))
	})
}
