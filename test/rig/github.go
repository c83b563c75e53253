package rig

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

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
