package github_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/github"
)

func TestAccountAuthor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		account     github.Account
		name, email string
	}{
		"name and public address": {github.Account{ID: 7, Login: "ada", Name: "Ada Lovelace", Email: "ada@example.org"}, "Ada Lovelace", "ada@example.org"},
		"no public address":       {github.Account{ID: 7, Login: "ada", Name: "Ada"}, "Ada", "7+ada@users.noreply.ghe.example"},
		"no name":                 {github.Account{ID: 7, Login: "ada", Name: " \n"}, "ada", "7+ada@users.noreply.ghe.example"},
		"control characters":      {github.Account{Login: "x", Name: "A\r\n[alias]\x1b\u0085", Email: "a@b\x00"}, "A[alias]", "a@b"},
		"nothing":                 {github.Account{}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			author, email := c.account.Author("ghe.example")
			require.Equal(t, c.name, author)
			require.Equal(t, c.email, email)
		})
	}
}
