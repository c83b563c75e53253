package ghscoped_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/hubtest/journey"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// world is what all tests share: one Hub, one service, one GitHub. Each test
// is a Hub user and a GitHub account of its own there.
type world struct {
	bin    string // folder of the programs
	github *githubsim.Server
	hub    *hubtest.Hub
	direct string // the service past the proxy, as within a cluster
	evil   *stranger
	users  atomic.Int64
	env    []string // of the service
}

var shared *world

func TestMain(m *testing.M) { rig.Main(m, start) }

func start(s *rig.Shared) error {
	w := &world{bin: filepath.Join(s.Folder, "bin"), evil: newStranger()}
	shared = w
	s.Cleanup(func() error { w.evil.server.Close(); return nil })
	if err := w.build(); err != nil {
		return err
	}
	app := githubsim.App{ClientID: githubsim.DefaultClientID, Slug: githubsim.DefaultSlug, ClientSecret: appSecret}
	w.github = githubsim.New(githubsim.Options{Latency: githubsim.GitHubLatency, Interval: time.Second, Apps: []githubsim.App{app}, Limits: githubsim.Limits{TokensPerUser: 1000, TokensPerHour: 1000, RevokePerHour: 1000, AnonymousPerHour: 10000, CodeEntriesPerHour: 1000}})
	if err := w.github.Start(); err != nil {
		return err
	}
	s.Cleanup(w.github.Close)
	packages, err := filepath.Abs("../../python/src")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*hubtest.Patience)
	defer cancel()
	w.hub, err = hubtest.Start(ctx, hubtest.Options{
		External: func(env []string) error {
			w.direct = rig.Variable(env, "JUPYTERHUB_SERVICE_URL") + "/services/" + hubtest.ServiceName + "/"
			w.env = append(append(env, rig.GitHubEnv(w.github)...),
				"GHSCOPED_STORE=bolt:"+filepath.Join(s.Folder, "store.db"), "GHSCOPED_DELIVERY=pull", "GHSCOPED_LOG_LEVEL=warn")
			service, err := rig.Start(w.env, nil, filepath.Join(w.bin, "ghscoped-service"), "serve")
			if err == nil {
				s.Cleanup(func() error { return service.Stop(5 * time.Second) })
			}
			return err
		},
		ServerEnv: map[string]string{
			"GHSCOPED_GITHUB_URL": w.github.URL(), "GIT_CONFIG_NOSYSTEM": "1",
			"PATH": w.bin + string(os.PathListSeparator) + os.Getenv("PATH"), "TERM": "xterm", "PYTHONPATH": packages,
		},
	})
	if err == nil {
		s.Cleanup(w.hub.Stop)
	}
	return err
}

// build compiles the programs as they are shipped, and gives ghscoped its
// other two names.
func (w *world) build() error {
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", w.bin+"/", "../../cmd/ghscoped", "../../cmd/ghscoped-service")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w: %s", err, out)
	}
	return errors.Join(
		os.Symlink("ghscoped", filepath.Join(w.bin, "git-credential-ghscoped")),
		os.Symlink("ghscoped", filepath.Join(w.bin, "gh-scoped-creds")))
}

// person is a Hub user, the GitHub account of the same name, and the token of
// a server of theirs.
type person struct {
	hubtest.Holder
	name, token, clientID string
	service               string // the one they use; ends with "/"
	notesID               int64  // number of their private repository
}

// newPerson makes a user, an account with repositories hello, notes (private)
// and other, and an App of their own for whoever does without the service. Both
// Apps are installed on hello and notes.
func (w *world) newPerson(ctx context.Context) (*person, error) {
	number := w.users.Add(1)
	p := &person{name: fmt.Sprintf("user%d", number), service: w.hub.ServiceURL, notesID: 1_000_000 + number}
	p.clientID = "Iv1." + p.name
	app := githubsim.App{ClientID: p.clientID, Slug: "app-" + p.name}
	errs := []error{w.hub.CreateUser(ctx, p.name), w.github.AddAccount(githubsim.Account{Login: p.name}), w.github.PutApp(app)}
	for _, repository := range []githubsim.Repository{{FullName: "hello"}, {FullName: "notes", Private: true, ID: p.notesID}, {FullName: "other"}} {
		repository.FullName = p.name + "/" + repository.FullName
		errs = append(errs, w.github.AddRepository(repository))
	}
	for _, client := range []string{p.clientID, w.github.Info().ClientID} {
		_, err := w.github.InstallApp(client, p.name, false, p.name+"/hello", p.name+"/notes")
		errs = append(errs, err)
	}
	var err error
	p.token, err = w.hub.ServerToken(ctx, p.name, "")
	p.Holder = w.hub.Holder(p.token)
	return p, errors.Join(append(errs, err)...)
}

// serverEnv is what JupyterHub 6 gives to a server, as far as it matters here;
// TestARealServerKnowsTheService is about the real ones.
func (w *world) serverEnv(p *person) map[string]string {
	env := map[string]string{
		"JUPYTERHUB_API_TOKEN": p.token, "JUPYTERHUB_API_URL": w.hub.APIURL, "JUPYTERHUB_BASE_URL": "/",
		"JUPYTERHUB_PUBLIC_HUB_URL": w.hub.URL + "hub/", "JUPYTERHUB_USER": p.name,
	}
	if p.service != w.hub.ServiceURL {
		env["GHSCOPED_URL"] = p.service
	}
	return env
}

// use has the person use the service at another address.
func (p *person) use(service string) { p.service, p.Holder = service, p.At(service) }

// pending waits for a code that nobody has approved yet.
func (w *world) pending(ctx context.Context, clientID string, mine func(code string) bool) (string, error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		for _, device := range w.github.Stats().DeviceCodes {
			if device.ClientID == clientID && device.State == "pending" && mine(device.UserCode) {
				return device.UserCode, nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return "", fmt.Errorf("no code of %s waits for approval: %w", clientID, ctx.Err())
		}
	}
}

// codeOf says whether a code is the one that the service has shown to a user.
func (w *world) codeOf(ctx context.Context, p *person) func(string) bool {
	return func(code string) bool {
		flow, err := journey.Current(ctx, p)
		return err == nil && flow.UserCode == code
	}
}

// ask calls the service as a server of the person.
func (w *world) ask(ctx context.Context, p *person, method, path string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, method, p.service+path, nil)
	if err != nil {
		return "", err
	}
	request.Header.Set("Authorization", "token "+p.token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return string(body), err
}

// approve approves the code that the person was shown, by the service or, where
// alone, by GitHub itself.
func (w *world) approve(ctx context.Context, p *person, alone bool) error {
	clientID, mine := w.github.Info().ClientID, w.codeOf(ctx, p)
	if alone {
		clientID, mine = p.clientID, func(string) bool { return true }
	}
	code, err := w.pending(ctx, clientID, mine)
	if err != nil {
		return err
	}
	return w.github.Approve(code, p.name)
}

// connect connects a person, and returns when the service knows what the token
// reaches.
func (w *world) connect(ctx context.Context, p *person) error {
	err := journey.ConnectByAPI(ctx, p, func(code string) error { return w.github.Approve(code, p.name) })
	if err != nil {
		return err
	}
	return w.until(ctx, p, func(body string) bool { return strings.Contains(body, `"access":"ready"`) })
}

// until asks for the connection until it is as wanted.
func (w *world) until(ctx context.Context, p *person, wanted func(body string) bool) error {
	return w.untilAt(ctx, p, "api/connection", wanted)
}

func (w *world) untilAt(ctx context.Context, p *person, path string, wanted func(body string) bool) error {
	for {
		body, err := w.ask(ctx, p, http.MethodGet, path)
		if err == nil && wanted(body) {
			return nil
		}
		select {
		case <-time.After(100 * time.Millisecond): // the service has no event for what a token reaches
		case <-ctx.Done():
			return fmt.Errorf("the connection stays as it is: %s: %w", body, ctx.Err())
		}
	}
}

// hasPushed reports whether GitHub has taken a push of the person.
func (w *world) hasPushed(p *person, repository string) bool {
	return slices.ContainsFunc(w.github.Stats().Pushes, func(push githubsim.Push) bool {
		return push.Repository == repository && push.Accepted && push.Actor == p.name
	})
}

// stranger is another host: it asks everybody for a credential, and remembers
// what it was given.
type stranger struct {
	server *httptest.Server
	mu     sync.Mutex
	given  []string
}

func newStranger() *stranger {
	s := &stranger{}
	s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if given := r.Header.Get("Authorization"); given != "" {
			s.mu.Lock()
			s.given = append(s.given, r.URL.Path+" "+given)
			s.mu.Unlock()
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="GitHub"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	return s
}
