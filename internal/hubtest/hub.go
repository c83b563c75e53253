package hubtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
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

// Password is what everybody signs in with, unless Options say otherwise.
const Password = "demo"

// Options say which Hub is wanted. The zero value is a JupyterHub 6 under "/"
// with a service that nobody starts.
type Options struct {
	Version  string // folder of .demo: hub6 (the default), hub5 or hub4
	BaseURL  string // "/" by default; begins and ends with a slash
	Port     int    // of the public address; 0: a free one
	Password string // default: Password
	Users    []string
	Dir      string // state of the Hub and homes of the users; default: a temporary folder, removed by Stop

	ServiceCommand []string          // the Hub starts it (managed)
	ServiceEnv     map[string]string // for the managed service
	// External starts the service instead, in the environment given (and
	// whatever it adds). It is called before the Hub starts, which waits 10 s
	// (JupyterHub 6: 30 s) for the service to answer. Whoever wrote it also
	// ends the service.
	External func(env []string) error

	ServerEnv map[string]string // for the users' servers
	Extra     string            // Python lines for the end of the Hub's configuration
	Echo      io.Writer         // gets the Hub's log as it is written; may be nil
}

// Hub is a running JupyterHub with its proxy.
type Hub struct {
	URL          string // public address, ends with a slash
	ServiceURL   string // the service's page, through the proxy; ends with a slash
	ServiceAddr  string // http://HOST:PORT where the service itself listens
	APIURL       string // the Hub's REST API, without a final slash, for who is beside the Hub
	AdminToken   string // of a Hub service that may do everything; not the service under test
	ServiceToken string // the token of the service under test
	Password     string
	Dir          string
	Log          *Log

	program *Program
	ownDir  bool
}

// settings are what demo/jupyterhub_config.py reads.
type settings struct {
	Data         string          `json:"data"`
	PublicURL    string          `json:"public_url"`
	HubPort      int             `json:"hub_port"`
	ProxyAPIPort int             `json:"proxy_api_port"`
	ProxyCommand []string        `json:"proxy_command"`
	ProxyToken   string          `json:"proxy_token"`
	Password     string          `json:"password"`
	AdminToken   string          `json:"admin_token"`
	Service      serviceSettings `json:"service"`
	SingleUser   singleUser      `json:"singleuser"`
	Extra        string          `json:"extra"`
}

type serviceSettings struct {
	URL         string            `json:"url"`
	APIToken    string            `json:"api_token"`
	Command     []string          `json:"command"`
	Environment map[string]string `json:"environment"`
}

type singleUser struct {
	Args        []string          `json:"args"`
	Environment map[string]string `json:"environment"`
	DefaultURL  string            `json:"default_url"`
}

// New starts a Hub for a test and stops it at the test's end. Where the test
// failed, the end of the Hub's log is shown.
func New(t testing.TB, o Options) *Hub {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
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
	h := &Hub{Dir: o.Dir, Password: o.Password, AdminToken: randomHex(16), ServiceToken: randomHex(16), Log: newLog(o.Echo)}
	if o.Dir == "" {
		if h.Dir, err = os.MkdirTemp("", "hubtest-"); err != nil {
			return nil, fmt.Errorf("hubtest: %w", err)
		}
		h.ownDir = true
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
	return h, nil
}

func (o Options) withDefaults() Options {
	if o.Version == "" {
		o.Version = "hub6"
	}
	if o.BaseURL == "" {
		o.BaseURL = "/"
	}
	if o.Password == "" {
		o.Password = Password
	}
	return o
}

// settings chooses the addresses and fills what the configuration reads.
func (h *Hub) settings(o Options, mark string) (*settings, error) {
	proxy, err := installed("proxy", "node_modules", ".bin", "configurable-http-proxy")
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(4)
	if err != nil {
		return nil, err
	}
	if o.Port == 0 {
		o.Port = ports[0]
	}
	h.URL = fmt.Sprintf("http://127.0.0.1:%d%s", o.Port, o.BaseURL)
	h.ServiceURL = h.URL + "services/" + ServiceName + "/"
	h.ServiceAddr = fmt.Sprintf("http://127.0.0.1:%d", ports[3])
	h.APIURL = fmt.Sprintf("http://127.0.0.1:%d%shub/api", ports[1], o.BaseURL)
	return &settings{
		Data: h.Dir, PublicURL: h.URL, HubPort: ports[1], ProxyAPIPort: ports[2],
		ProxyCommand: []string{proxy}, ProxyToken: randomHex(16),
		Password: h.Password, AdminToken: h.AdminToken,
		Service: serviceSettings{
			URL: h.ServiceAddr, APIToken: h.ServiceToken, Command: o.ServiceCommand,
			Environment: withMark(h.withProxyURL(o), mark),
		},
		SingleUser: single(o, mark),
		Extra:      o.Extra,
	}, nil
}

// single is how a user's server is started in each line of JupyterHub.
func single(o Options, mark string) singleUser {
	s := singleUser{Args: []string{}, Environment: withMark(o.ServerEnv, mark), DefaultURL: "/lab"}
	switch o.Version {
	case "hub4":
		s.DefaultURL = "/tree"
		s.Environment["JUPYTERHUB_SINGLEUSER_APP"] = "notebook"
	case "hub6":
		// JupyterLab would ask its makers for news and its extensions' makers
		// for extensions.
		s.Args = append(s.Args, "--LabApp.news_url=None", "--LabApp.extension_manager=readonly",
			"--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate")
	}
	return s
}

// withProxyURL is the service's environment. JupyterHub 4 has no public_url to
// tell a service where the users' servers are reached.
func (h *Hub) withProxyURL(o Options) map[string]string {
	if o.Version != "hub4" {
		return o.ServiceEnv
	}
	env := map[string]string{"GHSCOPED_PROXY_URL": origin(h.URL)}
	maps.Copy(env, o.ServiceEnv)
	return env
}

func withMark(env map[string]string, mark string) map[string]string {
	env = maps.Clone(env)
	if env == nil {
		env = map[string]string{}
	}
	env[marker] = mark
	return env
}

// start writes the settings, runs JupyterHub and waits for its word that it is up.
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

// serviceEnv is what JupyterHub itself sets for a managed service.
func (h *Hub) serviceEnv(o Options) []string {
	access := fmt.Sprintf(`["access:services!service=%s", "access:services"]`, ServiceName)
	env := []string{
		"JUPYTERHUB_SERVICE_NAME=" + ServiceName,
		"JUPYTERHUB_SERVICE_URL=" + h.ServiceAddr,
		"JUPYTERHUB_SERVICE_PREFIX=" + o.BaseURL + "services/" + ServiceName + "/",
		"JUPYTERHUB_API_TOKEN=" + h.ServiceToken,
		"JUPYTERHUB_API_URL=" + h.APIURL,
		"JUPYTERHUB_CLIENT_ID=service-" + ServiceName,
		"JUPYTERHUB_OAUTH_SCOPES=" + access,
		"JUPYTERHUB_OAUTH_ACCESS_SCOPES=" + access,
		`JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES=["read:users:name!user", "read:servers!user", "access:servers!user", "servers!user"]`,
		"JUPYTERHUB_HOST=",
		"JUPYTERHUB_BASE_URL=" + o.BaseURL,
	}
	if o.Version == "hub4" {
		return append(env, "GHSCOPED_PROXY_URL="+origin(h.URL))
	}
	return append(env, "JUPYTERHUB_PUBLIC_URL="+h.ServiceURL, "JUPYTERHUB_PUBLIC_HUB_URL="+h.URL+"hub/")
}

// Home is the home folder of a user's servers.
func (h *Hub) Home(user string) string { return filepath.Join(h.Dir, "home", user) }

// Done is closed when the Hub has ended, by Stop or by itself.
func (h *Hub) Done() <-chan struct{} { return h.program.Done() }

// PID is the Hub's process id, for a test that kills it.
func (h *Hub) PID() int { return h.program.PID() }

// Stop ends the Hub, its proxy, the managed service and the users' servers,
// and removes the state if Start made the folder.
func (h *Hub) Stop() error {
	var errs []error
	if h.program != nil {
		errs = append(errs, h.program.Stop(20*time.Second))
	}
	if h.ownDir {
		errs = append(errs, os.RemoveAll(h.Dir))
	}
	return errors.Join(errs...)
}
