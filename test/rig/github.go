package rig

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
)

// NewGitHub starts a simulator for a test, as slow as GitHub. For a benchmark,
// which is about our own time, it answers at once.
func NewGitHub(t testing.TB, o githubsim.Options) *githubsim.Server {
	t.Helper()
	if _, benchmark := t.(*testing.B); !benchmark {
		o.Latency = githubsim.GitHubLatency
	}
	github := githubsim.New(o)
	require.NoError(t, github.Start())
	t.Cleanup(func() { require.NoError(t, github.Close()) })
	return github
}

// Pushed reports whether GitHub has taken a push of an account to a repository.
func Pushed(github *githubsim.Server, repository, account string) bool {
	return slices.ContainsFunc(github.Stats().Pushes, func(push githubsim.Push) bool {
		return push.Repository == repository && push.Accepted && push.Actor == account
	})
}

// GitHubEnv are the settings of a service that is to use a simulator.
func GitHubEnv(github *githubsim.Server) []string {
	info := github.Info()
	return []string{"GHSCOPED_CLIENT_ID=" + info.ClientID, "GHSCOPED_APP_URL=" + info.AppURL, "GHSCOPED_GITHUB_URL=" + info.URL}
}

// ByName is an environment as a map.
func ByName(env []string) map[string]string {
	found := map[string]string{}
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		found[name] = value
	}
	return found
}

// TokenState is what a simulator says of a token, named by its SHA-256.
func TokenState(github *githubsim.Server, sha256 string) string {
	for _, token := range github.Tokens() {
		if token.SHA256 == sha256 {
			return token.State
		}
	}
	return "unknown"
}

// Pending waits for a code that is wanted and that nobody has approved yet.
func Pending(ctx context.Context, github *githubsim.Server, wanted func(githubsim.DevicePolls) bool) (code string, err error) {
	tick := time.NewTicker(50 * time.Millisecond) // GitHub tells nobody of a new code
	defer tick.Stop()
	for {
		for _, device := range github.Stats().DeviceCodes {
			if device.State == "pending" && wanted(device) {
				return device.UserCode, nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return "", fmt.Errorf("no code waits for approval: %w", ctx.Err())
		}
	}
}

// BotSettings enable bot tokens by a policy and a new key of the App, which are
// put into a folder as policy.yaml and app.pem; public is the key's other half.
func BotSettings(folder, policy string) (env []string, public []byte, err error) {
	private, public, err := NewAppKey()
	if err != nil {
		return nil, nil, err
	}
	policyFile, keyFile := filepath.Join(folder, "policy.yaml"), filepath.Join(folder, "app.pem")
	err = errors.Join(os.WriteFile(policyFile, []byte(policy), 0o600), os.WriteFile(keyFile, private, 0o600))
	return []string{"GHSCOPED_BOT_POLICY=" + policyFile, "GHSCOPED_APP_PRIVATE_KEY_FILE=" + keyFile}, public, err
}

// NewAppKey is an App's new key, as GitHub hands it out, and its public half.
func NewAppKey() (private, public []byte, err error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, nil, err
	}
	private = pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	return private, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}
