package deliver_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/deliver"
	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
)

// stages are the programs by which the script changes something; standIns puts
// programs of the same names before them on the server's path.
var stages = []string{"mkdir", "cat", "cp", "mv", "ls", "chmod", "rm", "rmdir", "tr", "wc"}

// standIns count their calls in the folder they return. At the call that the
// file "at" names they run the file "deed".
func standIns(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for _, program := range stages {
		real, err := exec.LookPath(program)
		require.NoError(t, err)
		text := fmt.Sprintf("#!/bin/sh\nn=1\nset -C\nuntil command : 2>/dev/null >%[1]s/call.$n; do n=$((n + 1)); done\n"+
			"read -r at <%[1]s/at\nif [ $n = \"$at\" ]; then . %[1]s/deed; fi\nexec %[2]s \"$@\"\n", folder, real)
		require.NoError(t, os.WriteFile(folder+"/"+program, []byte(text), 0o755))
	}
	require.NoError(t, os.WriteFile(folder+"/at", []byte("0\n"), 0o600))
	return folder
}

func (s *server) arm(folder string, call int, deed string) {
	s.t.Helper()
	old, err := os.ReadDir(folder)
	require.NoError(s.t, err)
	for _, entry := range old {
		if strings.HasPrefix(entry.Name(), "call.") {
			require.NoError(s.t, os.Remove(folder+"/"+entry.Name()))
		}
	}
	require.NoError(s.t, os.WriteFile(folder+"/at", fmt.Appendln(nil, call), 0o600))
	require.NoError(s.t, os.WriteFile(folder+"/deed", []byte(deed+"\n"), 0o600))
}

func TestDeliverySucceedsAfterAKillAtEachStep(t *testing.T) {
	folder := standIns(t)
	s := start(t, hubtest.JupyterOptions{Home: t.TempDir(), Env: []string{"PATH=" + folder + ":" + os.Getenv("PATH")}})
	const mine = "[user]\n\tname = Ada"
	require.NoError(t, os.WriteFile(s.Home+"/.gitconfig", []byte(mine), 0o600))
	d := newDeliverer(t, deliver.Options{})
	stride := 1
	if testing.Short() {
		stride = 7
	}
	call := 1
	for ; ; call += stride {
		s.arm(folder, call, "kill -KILL 0")
		_, err := d.Deliver(t.Context(), s.target, gitCredential("https://github.com", token))
		if err == nil {
			break // there is no such step any more
		}
		require.Equal(t, "delivery_interrupted", code(t, err))
		gitconfig, readErr := os.ReadFile(s.Home + "/.gitconfig")
		require.NoError(t, readErr)
		rest, ours := strings.CutPrefix(string(gitconfig), mine)
		require.True(t, ours && (rest == "" || strings.HasSuffix(rest, "# <<< ghscoped <<<\n")), rest)

		s.arm(folder, 0, "")
		_, err = d.Deliver(t.Context(), s.target, gitCredential("https://github.com", token))
		require.NoError(t, err, "after a kill at step %d", call)
		require.Contains(t, fill(t, s.Home), token)
		_, err = d.Remove(t.Context(), s.target)
		require.NoError(t, err)
		require.Empty(t, traces(t, s.Home))
	}
	require.Greater(t, call, 10)
	s.requireTidy()
}

func TestDeliveryToAServerKilledInMidDeliverySucceedsWhenItRunsAgain(t *testing.T) {
	folder := standIns(t)
	options := hubtest.JupyterOptions{Home: t.TempDir(), Env: []string{"PATH=" + folder + ":" + os.Getenv("PATH")}}
	s := start(t, options)
	reached := folder + "/reached"
	require.NoError(t, syscall.Mkfifo(reached, 0o600))
	s.arm(folder, 6, "echo >"+reached+"; kill -STOP 0")
	d := newDeliverer(t, deliver.Options{})
	failure := make(chan error)
	go func() {
		_, err := d.Deliver(t.Context(), s.target, gitCredential("https://github.com", token))
		failure <- err
	}()
	_, err := os.ReadFile(reached) // returns when the script has come so far
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(s.PID(), syscall.SIGKILL))
	var fault *apierror.Error
	require.ErrorAs(t, <-failure, &fault)
	require.True(t, fault.Retryable, "%v", fault)

	_, err = d.Deliver(t.Context(), s.target, gitCredential("https://github.com", token))
	require.Equal(t, "server_unreachable", code(t, err))

	s.arm(folder, 0, "")
	again := start(t, options)
	_, err = d.Deliver(t.Context(), again.target, gitCredential("https://github.com", token))
	require.NoError(t, err)
	require.Contains(t, fill(t, s.Home), token)
	_, err = d.Remove(t.Context(), again.target)
	require.NoError(t, err)
	require.Empty(t, traces(t, s.Home))
}

func TestDeliveryGivesUpAServerThatHangs(t *testing.T) {
	folder := standIns(t)
	s := start(t, hubtest.JupyterOptions{Home: t.TempDir(), Env: []string{"PATH=" + folder + ":" + os.Getenv("PATH")}})
	s.arm(folder, 4, "exec sleep 600")
	began := time.Now()
	_, err := newDeliverer(t, deliver.Options{Timeout: 5 * time.Second}).Deliver(t.Context(), s.target, gitCredential("https://github.com", token))
	require.Equal(t, "delivery_timeout", code(t, err))
	require.Less(t, time.Since(began), hubtest.Patience, "what hangs does so for ten minutes")
	s.requireTidy()

	_, err = newDeliverer(t, deliver.Options{}).Remove(t.Context(), s.target)
	require.NoError(t, err)
	require.Empty(t, traces(t, s.Home))
}

func TestDeliveryNamesWhatAnswersInsteadOfAServer(t *testing.T) {
	for _, c := range []struct {
		status  int
		code    string
		passing bool
	}{
		{http.StatusUnauthorized, "server_refused_token", false},
		{http.StatusForbidden, "server_refused_token", false},
		{http.StatusFound, "server_not_ready", true},
		{http.StatusFailedDependency, "server_not_ready", true},
		{http.StatusServiceUnavailable, "server_not_ready", true},
		{http.StatusBadGateway, "server_unreachable", true},
		{http.StatusTooManyRequests, "server_unreachable", true},
		{http.StatusOK, "server_unreachable", true}, // a page of HTML
		{http.StatusNotFound, "no_way_in", false},
	} {
		t.Run(http.StatusText(c.status), func(t *testing.T) {
			t.Parallel()
			_, err := newDeliverer(t, deliver.Options{}).Remove(t.Context(), hub.Target{Address: hub.Address{URL: answering(t, c.status)}})
			var fault *apierror.Error
			require.ErrorAs(t, err, &fault)
			require.Equal(t, c.code, fault.Code)
			require.Equal(t, c.passing, fault.Retryable)
			require.NotContains(t, fault.Message+fault.Hint, "secret page")
		})
	}
}

// answering is the address of something that answers everything alike.
func answering(t *testing.T, status int) *url.URL {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{ReadHeaderTimeout: timeout, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/hub/login")
		w.WriteHeader(status)
		_, _ = w.Write([]byte("<html>secret page</html>"))
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Shutdown(context.Background()) })
	return &url.URL{Scheme: "http", Host: listener.Addr().String(), Path: "/user/x/"}
}
