package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/client"
)

func TestDescribeNamesWhatCannotBePushedToAndThePage(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		connection client.Connection
		says       []string
	}{
		"ready, and one organisation wants a sign-on": {
			client.Connection{Access: "ready", Repositories: []client.Repository{{FullName: "ada/notes", Push: true}},
				Missing: []client.Missing{{Account: "octo-org", Access: "single_sign_on", FixURL: "https://github.com/orgs/octo-org/sso"}}},
			[]string{"ada/notes", "octo-org wants a single sign-on (SAML): sign in there, then run ghscoped logout and ghscoped login.", "https://github.com/orgs/octo-org/sso"}},
		"one without a name": {
			client.Connection{Access: "single_sign_on", Missing: []client.Missing{{Access: "single_sign_on", FixURL: "https://github.com/settings/organizations"}}},
			[]string{"An organisation that GitHub does not name wants a single sign-on"}},
		"a request that waits": {
			client.Connection{Access: "requested", Missing: []client.Missing{{Account: "octo-org", Access: "requested", FixURL: "https://github.com/x"}}},
			[]string{"octo-org: you have asked for the GitHub App, and one of its owners has to agree.", "https://github.com/x"}},
		"refused":   {client.Connection{Access: "refused", Missing: []client.Missing{{Account: "inc", Access: "refused"}}}, []string{"inc does not show its repositories"}},
		"suspended": {client.Connection{Access: "suspended", Missing: []client.Missing{{Account: "lab", Access: "suspended"}}}, []string{"lab: the GitHub App is suspended there."}},
		"archived":  {client.Connection{Access: "archived", FixURL: "https://github.com/f"}, []string{"the chosen repositories are archived", "Change that at https://github.com/f"}},
		"hostile":   {client.Connection{Access: "ready", Missing: []client.Missing{{Account: "a\x1b[2Jb", Access: "refused"}}}, []string{"does not show"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file, err := os.Create(filepath.Join(t.TempDir(), "out"))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, file.Close()) })
			test.connection.ExpiresAt = now.Add(time.Hour)
			newPrinter(file, func(string) string { return "" }).describe(test.connection, now)
			out, err := os.ReadFile(file.Name())
			require.NoError(t, err)
			for _, says := range test.says {
				require.Contains(t, string(out), says)
			}
			require.NotContains(t, string(out), "\x1b")
		})
	}
}
