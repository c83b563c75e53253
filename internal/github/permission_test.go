package github_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/github"
)

func TestListPermissions(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"contents:write", "issues:read"}, github.ListPermissions(map[string]string{"issues": "read", "contents": "write"}))
	require.Empty(t, github.ListPermissions(nil))
}

func TestCovers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		have, want string
		covers     bool
	}{
		{"read", "read", true}, {"write", "read", true}, {"admin", "write", true}, {"admin", "admin", true},
		{"read", "write", false}, {"write", "admin", false}, {"", "read", false},
		{"", "", false}, {"", "all", false}, {"all", "all", false}, {"admin", "all", false}, {"all", "read", false},
	} {
		require.Equal(t, test.covers, github.Covers(test.have, test.want), "%q, %q", test.have, test.want)
	}
}
