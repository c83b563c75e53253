package deliver_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/credential"
	"github.com/ghscoped/ghscoped-service/internal/deliver"
	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/hubapi"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

const (
	token    = "ghu_Tok3nThatMustBeInOneFileOnly"
	ownToken = "0wnT0kenOfTheServer"
	inside   = "GHSCOPED_TEST_NAMESPACE"
	timeout  = hubtest.Patience
)

// TestMain runs the tests again in a mount namespace; a user who is not root
// becomes root of a user namespace, too.
func TestMain(m *testing.M) {
	if os.Getenv(inside) != "" {
		// Below nohup, SIGHUP is ignored by whatever is started, and a program
		// that hangs outlives its terminal. Caught here, it is as usual there.
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
		os.Exit(m.Run())
	}
	command := exec.Command(os.Args[0], os.Args[1:]...)
	command.Env = append(os.Environ(), inside+"=yes")
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		command.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		command.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		command.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	runtime.LockOSThread() // the child ends with this thread
	err := command.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		os.Exit(max(exit.ExitCode(), 1))
	case err != nil:
		fmt.Fprintln(os.Stderr, "these tests need a mount namespace:", err)
		os.Exit(1)
	}
}

// server is a running Jupyter Server as flow hands it over.
type server struct {
	*hubtest.Jupyter
	t      testing.TB
	target hub.Target
	http   *hubapi.UserServer
}

func start(t testing.TB, options hubtest.JupyterOptions) *server {
	t.Helper()
	options.Env = append([]string{"JUPYTERHUB_API_TOKEN=" + ownToken}, options.Env...)
	jupyter := hubtest.JupyterServer(t, options)
	base, err := url.Parse(jupyter.URL)
	require.NoError(t, err)
	target := hub.Target{Address: hub.Address{URL: base}, Token: secret.New(jupyter.Token), Prove: prove}
	return &server{jupyter, t, target, hubapi.NewUserServer(target.Address, target.Token, http.DefaultClient)}
}

// prove knows the token that a Hub would have given the server.
func prove(_ context.Context, shown secret.String) error {
	if shown.Reveal() != ownToken {
		return &apierror.Error{Code: "server_unproven", Message: "It is another server."}
	}
	return nil
}

func newDeliverer(t testing.TB, options deliver.Options) *deliver.Deliverer {
	t.Helper()
	options.HTTP = http.DefaultClient
	if options.Timeout == 0 {
		options.Timeout = timeout
	}
	d, err := deliver.New(options)
	require.NoError(t, err)
	return d
}

func gitCredential(host, token string) credential.Credential {
	address, err := url.Parse(host)
	if err != nil {
		panic(err)
	}
	return credential.Credential{Host: address, Username: "x-access-token", Password: secret.New(token), ExpiresAt: time.Now().Add(time.Hour)}
}

// fill asks git for the credential of github.com, in this home.
func fill(t testing.TB, home string) string {
	t.Helper()
	command := exec.Command("git", "credential", "fill")
	command.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0"}
	command.Dir = home
	command.Stdin = strings.NewReader("protocol=https\nhost=github.com\n\n")
	output, _ := command.Output() // without a credential git fails, and prints none
	return string(output)
}

// traces are the files of a home, by their path in it, that a delivery left or
// that hold the token. What Jupyter itself keeps there is none.
func traces(t testing.TB, home string) []string {
	t.Helper()
	var found []string
	require.NoError(t, filepath.WalkDir(home, func(path string, entry os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil // the server goes on, and so what it keeps there comes and goes
		}
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, home+"/")
		ours := strings.Contains(name, "ghscoped")
		if entry.Type().IsRegular() {
			content, err := os.ReadFile(path)
			if errors.Is(err, os.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			text := string(content)
			ours = ours || strings.Contains(text, token) || strings.Contains(text, ownToken) || strings.Contains(text, "ghscoped")
		}
		if ours {
			found = append(found, name)
		}
		return nil
	}))
	return found
}

// requireTidy checks that no terminal and no kernel is left, and that the
// server's log does not hold the token.
func (s *server) requireTidy() {
	s.t.Helper()
	for _, kind := range []string{"terminals", "kernels"} {
		// A program that was killed is off the list when its terminal has seen it.
		require.Eventually(s.t, func() bool { return s.none(kind) }, hubtest.Patience, 20*time.Millisecond, "%s are left", kind)
	}
	for _, secret := range []string{token, ownToken} {
		require.False(s.t, bytes.Contains(s.Log.Bytes(), []byte(secret)), "a token is in the server's log")
	}
}

// none reports whether a list of the server is empty, or not offered at all.
func (s *server) none(kind string) bool {
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.URL+"api/"+kind, nil)
	if err != nil {
		return false
	}
	request.Header.Set("Authorization", "token "+s.Token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusNotFound {
		return true
	}
	content, err := io.ReadAll(response.Body)
	return err == nil && string(content) == "[]"
}

func code(t testing.TB, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	var fault *apierror.Error
	require.ErrorAs(t, err, &fault)
	require.NotEmpty(t, fault.Message)
	return fault.Code
}
