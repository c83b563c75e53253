package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/config"
)

const marker = "marker0"

// TestRunPrintsNoSecretGivenByMistake gives every setting, and every command as
// an argument and as the value of an option, what belongs into a file.
func TestRunPrintsNoSecretGivenByMistake(t *testing.T) {
	t.Parallel()
	texts := []string{
		"-----BEGIN RSA PRIVATE KEY-----\n" + marker + "\n-----END RSA PRIVATE KEY-----",
		"ghs_" + marker + strings.Repeat("a", 30),
		"/" + marker + "NQdQkI4J3PTrUHLJh8yZgWwZ3nX2Q5xMhB8=",
		"https://" + marker + "@github.com",
	}
	requireNone := func(t *testing.T, got result) {
		t.Helper()
		require.NotEqual(t, exitOK, got.code, "%v", got)
		require.NotContains(t, got.stdout+got.stderr, marker)
	}
	for _, text := range texts {
		for _, setting := range config.Table() {
			if setting.Name == "JUPYTERHUB_API_TOKEN" {
				continue // where a secret belongs
			}
			for _, command := range [][]string{{"check-config"}, {"serve"}, {"doctor"}, {"doctor", "--json"}, {"healthcheck"}} {
				requireNone(t, call(t.Context(), enough(setting.Env[0]+"="+text), newFake(), nil, command...))
			}
		}
		for _, c := range newRoot(invocation{}).Commands() {
			if !c.Runnable() {
				continue
			}
			requireNone(t, call(t.Context(), enough(), newFake(), nil, c.Name(), text))
			requireNone(t, call(t.Context(), enough(), newFake(), nil, c.Name(), "--token="+text))
			requireNone(t, call(t.Context(), enough(), newFake(), nil, c.Name(), "-token="+text))
			requireNone(t, call(t.Context(), enough(), newFake(), nil, c.Name(), "-"+text))
			requireNone(t, call(t.Context(), enough(), newFake(), nil, c.Name(), "--config", text))
		}
		requireNone(t, call(t.Context(), enough(), newFake(), nil, text))
		requireNone(t, call(t.Context(), enough(), newFake(), nil, "doctor", "--env-file", text))
		requireNone(t, call(t.Context(), enough(), newFake(), nil, "policy", "check", text))
	}
}
