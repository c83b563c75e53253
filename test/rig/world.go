package rig

import (
	"context"
	"maps"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
)

// WorldOptions say which world is wanted.
type WorldOptions struct {
	Program string            // ghscoped-service, as [Build] has built it
	Hub     hubtest.Options   // its ServiceEnv is added to what every service needs
	GitHub  *githubsim.Server // nil: a new one, with an interval of 1 s
	// Serve starts the service beside the Hub, before the Hub, in World.Env; most
	// often it is [World.Run]. Without it the Hub manages the service.
	Serve func(*World) error
}

// World is a Hub with the service under test and a simulated GitHub.
type World struct {
	Hub    *hubtest.Hub
	GitHub *githubsim.Server

	// Where the service was started beside the Hub:
	Env     []string         // its environment
	Store   string           // the file of its records
	Service *hubtest.Program // nil where it was not started by [World.Run]

	program string
	cleanup func(func() error)
}

// NewWorld starts a world for a test and ends it with the test. Where the test
// failed, the end of the logs is shown.
func NewWorld(t testing.TB, o WorldOptions) *World {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*hubtest.Patience)
	defer cancel()
	if o.GitHub == nil {
		o.GitHub = NewGitHub(t, githubsim.Options{Interval: time.Second})
	}
	w, err := startWorld(ctx, o, t.TempDir(), func(end func() error) {
		t.Cleanup(func() {
			if err := end(); err != nil {
				t.Error(err)
			}
		})
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		t.Logf("the Hub's log ends with:\n%s", w.Hub.Log.Tail(60))
		if w.Service != nil {
			t.Logf("the service's log ends with:\n%s", w.Service.Log.Tail(20))
		}
	})
	return w
}

// GitHub starts a simulator that all tests of a package share.
func (s *Shared) GitHub(o githubsim.Options) (*githubsim.Server, error) {
	o.Latency = githubsim.GitHubLatency
	github := githubsim.New(o)
	s.Cleanup(github.Close)
	return github, github.Start()
}

// World starts a world that they share; the options name its GitHub.
func (s *Shared) World(o WorldOptions) (*World, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*hubtest.Patience)
	defer cancel()
	return startWorld(ctx, o, s.Folder, s.Cleanup)
}

func startWorld(ctx context.Context, o WorldOptions, folder string, cleanup func(func() error)) (*World, error) {
	w := &World{GitHub: o.GitHub, Store: filepath.Join(folder, "store.db"), program: o.Program, cleanup: cleanup}
	settings := ByName(GitHubEnv(w.GitHub))
	if o.Serve == nil {
		o.Hub.ServiceCommand = []string{o.Program, "serve"}
	} else {
		settings["GHSCOPED_STORE"] = "bolt:" + w.Store
		o.Hub.External = func(env []string) error { w.Env = env; return o.Serve(w) }
	}
	maps.Copy(settings, o.Hub.ServiceEnv)
	o.Hub.ServiceEnv = settings

	var err error
	if w.Hub, err = hubtest.Start(ctx, o.Hub); err != nil {
		return nil, err
	}
	cleanup(w.Hub.Stop)
	return w, nil
}

// Run starts the service beside the Hub, in the environment that is in Env, until
// the world's end.
func (w *World) Run() (err error) {
	if w.Service, err = Start(w.Env, nil, w.program, "serve"); err == nil {
		w.cleanup(func() error { return w.Service.Stop(15 * time.Second) })
	}
	return err
}
