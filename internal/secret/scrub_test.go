package secret_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/secret"
)

func TestResembles(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n",
		"ghs_16C7e42F292c6912E7710c838347Ae178B4a", "x=github_pat_11ABCDEFG0abcdefghij_klmnop",
		"https://ada:pw@github.com/x", "redis://:pw@h:6379/0", "//tok3n@h",
		"3f786850e387550fdab836ed7e6dc881de23001b", "0123456789abcdef0123456789abcdef",
		"/9j4AAQSkZJRgABAQAAAQABAAD2wBDAAIBAQEBAQEBI=", "kX9eQyq0sX1d5bq3V2Yv0sXb1rJ8l9mJ6v3n2b1c0d8=",
	} {
		require.True(t, secret.Resembles(text), text)
		scrubbed := secret.Scrub(`flag: "` + text + `" is not -x=` + text)
		require.Contains(t, scrubbed, secret.Redacted)
		require.NotContains(t, scrubbed, strings.TrimSpace(text))
	}
	for _, text := range []string{
		"", "Iv23liABCDEFGHIJKLMN", "Iv1.8a61f9b3a7aba766", "/run/secrets/ghscoped/app-private-key-2026.pem", "/etc/ghscoped/keys/client_secret_file1",
		"~/.config/ghscoped/credential", "bolt:ghscoped.db", "https://github.example.org/apps/a-name-that-goes-on-and-on-1", "connect-github",
		"rediss://redis.example.org:6379/0?username_file=/run/secrets/redis/user", `["read:users!user","servers!user"]`,
		"Some Institute's Hub, room 1, ask ada@example.org", "ghs_", "a sentence about ghu_ tokens",
	} {
		require.False(t, secret.Resembles(text), text)
		require.Equal(t, text, secret.Scrub(text))
	}
}
