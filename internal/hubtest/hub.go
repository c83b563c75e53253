package hubtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// ServiceName is the name under which the service is registered.
const ServiceName = "connect-github"

// Password is what everybody signs in with.
const Password = "demo"

// Options say which Hub is wanted. The zero value is a JupyterHub 6 under "/"
// with a service that nobody starts.
type Options struct {
	Version string // folder of .demo: hub6 (the default), hub5 or hub4
	BaseURL string // "/" by default; begins and ends with a slash
	Port    int    // of the public address; 0: a free one
	Users   []string
	// Subdomains gives each user and service a host of their own, below
	// hub.localhost (subdomain_host; as JupyterHub 5 and later name them).
	Subdomains bool

	ServiceCommand []string          // the Hub starts it (managed)
	ServiceEnv     map[string]string // for the service
	// External starts the service instead, in the environment given (and
	// whatever it adds). It is called before the Hub starts. Whoever wrote it
	// also ends the service.
	External func(env []string) error

	ServerEnv map[string]string // for the users' servers
	Extra     string            // Python lines for the end of the Hub's configuration
	Echo      io.Writer         // gets the Hub's log as it is written; may be nil
}

// Hub is a running JupyterHub with its proxy.
type Hub struct {
	URL          string // public address, ends with a slash
	ProxyURL     string // the proxy's origin, for who is on this machine
	ServiceURL   string // the service's page, through the proxy; ends with a slash
	ServiceAddr  string // http://HOST:PORT where the service itself listens
	APIURL       string // the Hub's REST API, without a final slash, for who is beside the Hub
	AdminToken   string // of a Hub service that may do everything; not the service under test
	ServiceToken string // the token of the service under test
	Dir          string
	Log          *Log

	program  *Program
	reserved reservation
}

// New starts a Hub for a test and stops it at the test's end. Where the test
// failed, the end of the Hub's log is shown.
func New(t testing.TB, o Options) *Hub {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*Patience)
	defer cancel()
	h, err := Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the Hub's log ends with:\n%s", h.Log.Tail(60))
		}
	})
	return h
}

// Start starts a Hub and returns when it and the service answer. ctx bounds
// the start only; Stop ends the Hub.
func Start(ctx context.Context, o Options) (_ *Hub, err error) {
	o = o.withDefaults()
	h := &Hub{AdminToken: randomHex(16), ServiceToken: randomHex(16), Log: newLog(o.Echo)}
	if h.Dir, err = os.MkdirTemp("", "hubtest-"); err != nil {
		return nil, fmt.Errorf("hubtest: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.Stop())
		}
	}()
	mark := randomHex(8)
	s, err := h.settings(o, mark)
	if err != nil {
		return nil, err
	}
	if o.External != nil {
		if err := o.External(h.serviceEnv(o)); err != nil {
			return nil, fmt.Errorf("hubtest: external service: %w", err)
		}
	}
	if err := h.start(ctx, o, s, mark); err != nil {
		return nil, err
	}
	for _, user := range o.Users {
		if err := h.CreateUser(ctx, user); err != nil {
			return nil, err
		}
	}
	if o.External != nil || o.ServiceCommand != nil {
		return h, h.ServiceAnswers(ctx)
	}
	return h, nil
}

// ServiceAnswers waits until the service answers through the proxy, which says
// 503 as long as nobody is there. The Hub itself continues without the service
// when that has not come up within a few seconds.
func (h *Hub) ServiceAnswers(ctx context.Context) error {
	err := untilAnswer(ctx, h.ServiceURL, h.program.done, 100*time.Millisecond,
		func(status int) bool { return status != http.StatusServiceUnavailable })
	if err != nil {
		return fmt.Errorf("%w; the Hub's log ends with:\n%s", err, h.Log.Tail(40))
	}
	return nil
}

func (o Options) withDefaults() Options {
	if o.Version == "" {
		o.Version = "hub6"
	}
	if o.BaseURL == "" {
		o.BaseURL = "/"
	}
	return o
}

// start writes the settings, runs JupyterHub and waits until it says that it is up.
func (h *Hub) start(ctx context.Context, o Options, s *settings, mark string) error {
	root, err := Root()
	if err != nil {
		return err
	}
	python, err := installed(o.Version, "bin", "python")
	if err != nil {
		return err
	}
	content, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("hubtest: settings: %w", err)
	}
	file := filepath.Join(h.Dir, "settings.json")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		return fmt.Errorf("hubtest: settings: %w", err)
	}
	cmd := exec.Command(python, "-m", "jupyterhub", "--config", filepath.Join(root, "demo", "jupyterhub_config.py"))
	cmd.Dir = h.Dir
	cmd.Env = append(cleanEnv(), "DEMO_HUB_SETTINGS="+file,
		"PATH="+filepath.Dir(python)+string(os.PathListSeparator)+os.Getenv("PATH"))
	if h.program, err = startMarked(cmd, mark, h.Log); err != nil {
		return err
	}
	if err := h.Log.Wait(ctx, "JupyterHub is now running", h.program.done); err != nil {
		return fmt.Errorf("hubtest: JupyterHub does not start: %w; its log ends with:\n%s", err, h.Log.Tail(40))
	}
	return nil
}

// cleanEnv is our environment without what would change a Hub or a server
// below it, as when the tests run in a terminal of a Jupyter server.
func cleanEnv() []string {
	return slices.DeleteFunc(os.Environ(), func(e string) bool {
		return strings.HasPrefix(e, "JUPYTER") || strings.HasPrefix(e, "JPY_") || strings.HasPrefix(e, "PYTHONPATH=") ||
			strings.HasPrefix(e, "CONFIGPROXY_") || strings.HasPrefix(e, "DOCKER_NOTEBOOK_")
	})
}

// Home is the home folder of a user's servers.
func (h *Hub) Home(user string) string { return filepath.Join(h.Dir, "home", user) }

// Done is closed when the Hub has ended, by Stop or by itself.
func (h *Hub) Done() <-chan struct{} { return h.program.Done() }

// PID is the Hub's process id, for a test that kills it.
func (h *Hub) PID() int { return h.program.PID() }

// Stop ends the Hub, its proxy, the managed service and the users' servers,
// and removes the state.
func (h *Hub) Stop() error {
	var errs []error
	if h.program != nil {
		errs = append(errs, h.program.Stop(20*time.Second))
	}
	errs = append(errs, h.reserved.release())
	h.reserved = nil
	errs = append(errs, os.RemoveAll(h.Dir))
	return errors.Join(errs...)
}
