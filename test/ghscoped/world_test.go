package ghscoped_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
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
	*rig.World
	bin    string // folder of the programs
	direct string // the service past the proxy, as within a cluster
	evil   *stranger
	users  atomic.Int64
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
	github, err := s.GitHub(githubsim.Options{
		Interval: time.Second,
		Apps:     []githubsim.App{{ClientID: githubsim.DefaultClientID, Slug: githubsim.DefaultSlug, ClientSecret: appSecret}},
		Limits:   githubsim.Limits{TokensPerUser: 1000, TokensPerHour: 1000, RevokePerHour: 1000, AnonymousPerHour: 10000, CodeEntriesPerHour: 1000},
	})
	if err != nil {
		return err
	}
	packages, err := filepath.Abs("../../python/src")
	if err != nil {
		return err
	}
	hub := hubtest.Options{
		ServiceEnv: map[string]string{"GHSCOPED_DELIVERY": "pull", "GHSCOPED_LOG_LEVEL": "warn"},
		ServerEnv: map[string]string{
			"GHSCOPED_GITHUB_URL": github.URL(), "GIT_CONFIG_NOSYSTEM": "1",
			"PATH": w.bin + string(os.PathListSeparator) + os.Getenv("PATH"), "TERM": "xterm", "PYTHONPATH": packages,
		},
	}
	w.World, err = s.World(rig.WorldOptions{Program: filepath.Join(w.bin, "ghscoped-service"), Hub: hub, GitHub: github, Serve: (*rig.World).Run})
	if err == nil {
		w.direct = w.Hub.ServiceAddr + "/services/" + hubtest.ServiceName + "/"
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
	p := &person{name: fmt.Sprintf("user%d", number), service: w.Hub.ServiceURL, notesID: 1_000_000 + number}
	p.clientID = "Iv1." + p.name
	app := githubsim.App{ClientID: p.clientID, Slug: "app-" + p.name}
	errs := []error{w.Hub.CreateUser(ctx, p.name), w.GitHub.AddAccount(githubsim.Account{Login: p.name}), w.GitHub.PutApp(app)}
	for _, repository := range []githubsim.Repository{{FullName: "hello"}, {FullName: "notes", Private: true, ID: p.notesID}, {FullName: "other"}} {
		repository.FullName = p.name + "/" + repository.FullName
		errs = append(errs, w.GitHub.AddRepository(repository))
	}
	for _, client := range []string{p.clientID, w.GitHub.Info().ClientID} {
		_, err := w.GitHub.InstallApp(client, p.name, false, p.name+"/hello", p.name+"/notes")
		errs = append(errs, err)
	}
	var err error
	p.token, err = w.Hub.ServerToken(ctx, p.name, "")
	p.Holder = w.Hub.Holder(p.token)
	return p, errors.Join(append(errs, err)...)
}

// serverEnv is what JupyterHub 6 gives to a server, as far as it matters here;
// TestDoctorOnEachLineOfJupyterHub is about the real ones.
func (w *world) serverEnv(p *person) map[string]string {
	env := map[string]string{
		"JUPYTERHUB_API_TOKEN": p.token, "JUPYTERHUB_API_URL": w.Hub.APIURL, "JUPYTERHUB_BASE_URL": "/",
		"JUPYTERHUB_PUBLIC_HUB_URL": w.Hub.URL + "hub/", "JUPYTERHUB_USER": p.name,
	}
	if p.service != w.Hub.ServiceURL {
		env["GHSCOPED_URL"] = p.service
	}
	return env
}

// use has the person use the service at another address.
func (p *person) use(service string) { p.service, p.Holder = service, p.At(service) }

// pending waits for the code that the person was shown, by the service or, where
// alone, by GitHub itself.
func (w *world) pending(ctx context.Context, p *person, alone bool) (string, error) {
	return rig.Pending(ctx, w.GitHub, func(device githubsim.DevicePolls) bool {
		if alone {
			return device.ClientID == p.clientID
		}
		flow, err := journey.Current(ctx, p)
		return err == nil && flow.UserCode == device.UserCode && device.ClientID == w.GitHub.Info().ClientID
	})
}

// approve approves that code.
func (w *world) approve(ctx context.Context, p *person, alone bool) error {
	code, err := w.pending(ctx, p, alone)
	if err != nil {
		return err
	}
	return w.GitHub.Approve(code, p.name)
}

// connect connects a person, and returns when the service knows what the token
// reaches.
func (w *world) connect(ctx context.Context, p *person) error {
	err := journey.ConnectByAPI(ctx, p, func(code string) error { return w.GitHub.Approve(code, p.name) })
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
		var body string
		if _, err := p.Call(ctx, http.MethodGet, path, nil, &body); err == nil && wanted(body) {
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
	return rig.Pushed(w.GitHub, repository, p.name)
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
