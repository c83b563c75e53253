package ghscoped_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/credential"
	"github.com/ghscoped/ghscoped-service/internal/deliver"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// fills is how often each way is measured.
const fills = 100

// BenchmarkCredentialFill measures "git credential fill" as a whole process,
// in rounds of all ways, each round in another order, so that whatever else the
// machine does, and what the way before has left in its caches, falls on all alike:
// git's own store helper, the file of a delivery (push), and the service: through
// the Hub's proxy (pull), past it (direct), and with a token that the service
// has not asked the Hub about within the minute (first). What nobody can do
// without stands beside them: git and its shell with a helper that does nothing
// (shell), and with the least program in Go, which asks the service for its
// health, through the proxy (least) and past it (least-direct).
// The ways oauth and gh are what others do, as rivals_test.go describes.
func BenchmarkCredentialFill(b *testing.B) {
	ctx, cancel := context.WithTimeout(b.Context(), 2*time.Minute)
	defer cancel()
	p, err := shared.newPerson(ctx)
	require.NoError(b, err)
	require.NoError(b, shared.connect(ctx, p))
	least := filepath.Join(b.TempDir(), "least")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", least, "./testdata/least")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(b, err, string(out))
	ways := []struct {
		name string
		env  []string
	}{
		{"store", storeWay(b)}, {"push", pushWay(b)}, {"pull", pullWay(b, p)}, {"bare", pullWay(b, p)},
		{"direct", append(pullWay(b, p), "GHSCOPED_URL="+shared.direct)},
		{"shell", helperWay(b, "!echo username=x; echo password=none; true")},
		{"least", helperWay(b, least+" "+shared.Hub.ServiceURL+"healthz")},
		{"least-direct", helperWay(b, least+" "+shared.direct+"healthz")},
		{"oauth", oauthWay(b)}, {"gh", ghWay(b)},
	}
	for range b.N {
		took := map[string][]time.Duration{}
		for range fills {
			rand.Shuffle(len(ways), func(i, j int) { ways[i], ways[j] = ways[j], ways[i] })
			for _, way := range ways {
				took[way.name] = append(took[way.name], fill(b, way.env, way.name))
			}
			took["first"] = append(took["first"], fill(b, firstWay(ctx, b, p), "first"))
			took["request"] = append(took["request"], request(ctx, b, p))
		}
		for name, all := range took {
			slices.Sort(all)
			b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "ms-"+name)
		}
		for _, way := range []string{"pull", "direct", "least", "least-direct"} {
			b.ReportMetric(float64(took[way][fills/2])/float64(took["store"][fills/2]), way+"/store")
		}
		b.ReportMetric(0, "ns/op") // of no meaning here
	}
}

// fill runs git, or for the way "bare" the helper alone.
func fill(b *testing.B, env []string, way string) time.Duration {
	b.Helper()
	cmd := exec.Command("git", "credential", "fill")
	if way == "bare" {
		cmd = exec.Command(filepath.Join(shared.bin, "ghscoped"), "git-credential-ghscoped", "get")
	}
	asked := question()
	if way == "gh" {
		asked = "protocol=https\nhost=github.com\n"
	}
	cmd.Env, cmd.Stdin = env, strings.NewReader(asked+"\n")
	began := time.Now()
	out, err := cmd.Output()
	took := time.Since(began)
	require.NoError(b, err)
	require.Contains(b, string(out), "password=")
	return took
}

// request is the service's part of it alone, without a process.
func request(ctx context.Context, b *testing.B, p *person) time.Duration {
	began := time.Now()
	_, err := p.Call(ctx, http.MethodGet, "api/flows/current", nil, nil)
	require.NoError(b, err)
	return time.Since(began)
}

// firstWay is pullWay with a token that the service sees for the first time.
func firstWay(ctx context.Context, b *testing.B, p *person) []string {
	b.Helper()
	fresh := *p
	var err error
	fresh.token, err = shared.Hub.ServerToken(ctx, p.name, "")
	require.NoError(b, err)
	return pullWay(b, &fresh)
}

func env(b *testing.B, more ...string) (home string, all []string) {
	home = b.TempDir()
	return home, append([]string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GHSCOPED_GITHUB_URL=" + shared.GitHub.URL()}, more...)
}

func storeWay(b *testing.B) []string {
	home, env := env(b)
	address := strings.Replace(shared.GitHub.URL(), "http://", "http://x-access-token:ghu_0123456789@", 1)
	require.NoError(b, os.WriteFile(filepath.Join(home, ".git-credentials"), []byte(address+"\n"), 0o600))
	require.NoError(b, os.WriteFile(filepath.Join(home, ".gitconfig"), []byte("[credential]\n\thelper = store\n"), 0o600))
	return env
}

// helperWay has git ask a helper.
func helperWay(b *testing.B, helper string) []string {
	home, env := env(b)
	require.NoError(b, os.WriteFile(filepath.Join(home, ".gitconfig"), []byte("[credential]\n\thelper = \""+helper+"\"\n"), 0o600))
	return env
}

// pushWay delivers into the home by the service's own script.
func pushWay(b *testing.B) []string {
	home, env := env(b)
	b.Setenv("HOME", home)
	d, err := deliver.New(deliver.Options{HTTP: http.DefaultClient})
	require.NoError(b, err)
	host, err := url.Parse(shared.GitHub.URL())
	require.NoError(b, err)
	require.NoError(b, d.DeliverHere(b.Context(), credential.Credential{Host: host, Username: "x-access-token",
		Password: secret.New("ghu_0123456789"), ExpiresAt: time.Now().Add(time.Hour)}))
	return env
}

func pullWay(b *testing.B, p *person) []string {
	_, env := env(b)
	for name, value := range shared.serverEnv(p) {
		env = append(env, name+"="+value)
	}
	set := exec.Command(filepath.Join(shared.bin, "ghscoped"), "setup")
	set.Env = env
	out, err := set.CombinedOutput()
	require.NoError(b, err, string(out))
	return env
}
