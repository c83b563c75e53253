package attack_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/hubtest/journey"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// impostor answers at the port of a server that has died, as somebody else on the
// machine can: it plays the terminal or the kernel that a delivery asks for, shows
// a token as the server's own, and keeps what it gets.
type impostor struct {
	mu      sync.Mutex
	kernels bool // no terminals, so that the delivery takes a kernel
	show    func(seen string) string
	script  string
	seen    []string // tokens that it was shown
	got     []string // what it was sent once it had said that it was ready
}

var (
	scriptMark = regexp.MustCompile(`mark_[ab]='(\w+)'`)
	kernelMark = regexp.MustCompile(`"ghscoped " \+ "(\w+)" \+ "(\w+) ready"`)
)

func (f *impostor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if token, found := strings.CutPrefix(r.Header.Get("Authorization"), "token "); found {
		f.seen = append(f.seen, token)
	}
	path := strings.TrimPrefix(r.URL.Path, "/user/ada")
	switch {
	case strings.HasPrefix(path, "/api/terminals") && f.kernels:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodDelete:
		w.WriteHeader(http.StatusNoContent)
	case path == "/api/terminals":
		var body struct {
			ShellCommand []string `json:"shell_command"`
		}
		_ = json.NewDecoder(r.Body).Decode(&body)
		f.script = strings.Join(body.ShellCommand, "\n")
		_, _ = io.WriteString(w, `{"name":"1"}`)
	case path == "/api/kernelspecs":
		_, _ = io.WriteString(w, `{"default":"p","kernelspecs":{"p":{"spec":{"language":"python"}}}}`)
	case path == "/api/kernels":
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":"1"}`)
	case path == "/terminals/websocket/1":
		f.talk(w, r, f.playTerminal)
	case path == "/api/kernels/1/channels":
		f.talk(w, r, f.playKernel)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (f *impostor) talk(w http.ResponseWriter, r *http.Request, play func(context.Context, *websocket.Conn)) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(1 << 20)
	ctx, cancel := context.WithTimeout(r.Context(), hubtest.Patience)
	defer cancel()
	play(ctx, conn)
}

// ready is what the delivery waits for.
func (f *impostor) ready(marks []string) string {
	return strings.TrimSpace("ghscoped " + strings.Join(marks, "") + " ready " + f.show(f.seen[len(f.seen)-1]))
}

func (f *impostor) playTerminal(ctx context.Context, conn *websocket.Conn) {
	var marks []string
	for _, found := range scriptMark.FindAllStringSubmatch(f.script, -1) {
		marks = append(marks, found[1])
	}
	message, _ := json.Marshal([]string{"stdout", f.ready(marks) + "\r\n"})
	_ = conn.Write(ctx, websocket.MessageText, message)
	f.keep(ctx, conn)
}

func (f *impostor) playKernel(ctx context.Context, conn *websocket.Conn) {
	_, request, err := conn.Read(ctx)
	if err != nil {
		return
	}
	var asked struct {
		Header  json.RawMessage
		Content struct{ Code string }
	}
	_ = json.Unmarshal(request, &asked)
	marks := kernelMark.FindStringSubmatch(asked.Content.Code)
	prompt, _ := json.Marshal(map[string]any{
		"channel": "stdin", "header": map[string]string{"msg_id": "1", "msg_type": "input_request"},
		"parent_header": asked.Header, "content": map[string]any{"prompt": f.ready(marks[1:]), "password": true},
	})
	_ = conn.Write(ctx, websocket.MessageText, prompt)
	f.keep(ctx, conn)
}

func (f *impostor) keep(ctx context.Context, conn *websocket.Conn) {
	if _, sent, err := conn.Read(ctx); err == nil {
		f.got = append(f.got, string(sent))
	}
}

// takePort ends ada's server by kill -9 and has f answer at its port.
func takePort(t *testing.T, w *world, f *impostor) {
	t.Helper()
	ctx := hubtest.Context(t)
	pid, environ := w.serverProcess(ctx, t, "")
	address, err := url.Parse(environ["JUPYTERHUB_SERVICE_URL"])
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	var listener net.Listener
	require.Eventually(t, func() bool {
		listener, err = net.Listen("tcp", address.Host)
		return err == nil
	}, hubtest.Patience, 10*time.Millisecond)
	server := &http.Server{Handler: f, ReadHeaderTimeout: hubtest.Patience}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
}

// serverProcess is the process of a server of ada's, and its environment.
func (w *world) serverProcess(ctx context.Context, t *testing.T, server string) (pid int, environ map[string]string) {
	t.Helper()
	var user struct {
		Servers map[string]struct{ State struct{ PID int } }
	}
	_, err := w.Hub.API(ctx, w.Hub.AdminToken, http.MethodGet, "/users/ada", nil, &user)
	require.NoError(t, err)
	pid = user.Servers[server].State.PID
	require.NotZero(t, pid)
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	require.NoError(t, err)
	environ = map[string]string{}
	for _, entry := range strings.Split(string(content), "\x00") {
		name, value, _ := strings.Cut(entry, "=")
		environ[name] = value
	}
	return pid, environ
}

// browserToken is the Hub token that ada's browser shows her server, in a cookie
// that is signed, but can be read by whoever answers there.
func browserToken(ctx context.Context, t *testing.T, w *world, ada *hubtest.Visitor) string {
	t.Helper()
	address, err := w.Hub.ServerURL(ctx, "ada", "")
	require.NoError(t, err)
	require.NoError(t, ada.Open(ctx, address+"lab"))
	at, err := url.Parse(address)
	require.NoError(t, err)
	for _, cookie := range ada.Cookies(at) {
		if parts := strings.Split(cookie.Value, "|"); cookie.Name == "jupyterhub-user-ada" && len(parts) > 4 {
			_, value, _ := strings.Cut(parts[4], ":")
			token, err := base64.StdEncoding.DecodeString(value)
			require.NoError(t, err)
			return string(token)
		}
	}
	require.Fail(t, "the browser has no cookie of the server")
	return ""
}

// A program that has taken the port of a server that died is shown a Hub token for
// that server, which is dead afterwards, and gets no GitHub token, whatever it shows
// as its own; nor is it asked to take one out.
func TestPortOfADeadServerGetsNoGitHubToken(t *testing.T) {
	// The Hub does not notice: it looks every 30 seconds, which is time enough.
	w := newWorld(t, hubtest.Options{Version: "hub5", Extra: "c.Spawner.poll_interval = 0\n"})
	ctx := hubtest.Context(t)
	w.StartServer(t, "ada", "")
	other := w.StartServer(t, "ada", "joint")
	ada := w.Visit(t, "ada")
	_, joint := w.serverProcess(ctx, t, "joint")
	cookie := browserToken(ctx, t, w, ada)
	f := &impostor{show: func(string) string { return "" }}
	takePort(t, w, f)

	var flow journey.Flow
	require.Equal(t, http.StatusCreated, rig.Call(t, ada, http.MethodPost, "api/flows", map[string]any{"servers": []string{""}}, &flow))
	require.NoError(t, w.GitHub.Approve(flow.UserCode, "octocat"))
	rig.UntilFlow(t, ada, "connected")

	requireNothing := func(t *testing.T) {
		t.Helper()
		var connection struct {
			Deliveries []struct {
				State string
				Error struct{ Code string }
			}
		}
		require.Eventually(t, func() bool { // the audit tells of a delivery before the record does
			_, err := ada.Call(ctx, http.MethodGet, "api/connection", nil, &connection)
			return err == nil && len(connection.Deliveries) == 1 && connection.Deliveries[0].State == "failed"
		}, hubtest.Patience, 50*time.Millisecond)
		f.mu.Lock() // whoever talks to it has ended
		defer f.mu.Unlock()
		require.Empty(t, f.got, "it got something")
		require.Equal(t, "server_unproven", connection.Deliveries[0].Error.Code)
		require.NotEmpty(t, f.seen)
		require.Equal(t, http.StatusForbidden, get(ctx, t, w.Hub.APIURL+"/user", f.seen[len(f.seen)-1]), "what it saw is alive")
		require.Contains(t, []int{http.StatusForbidden, http.StatusFound}, get(ctx, t, other+"api/contents", f.seen[len(f.seen)-1]))
	}
	requireNothing(t)

	for name, show := range map[string]func(seen string) string{
		"the token that it was shown":    func(seen string) string { return seen },
		"another server's token":         func(string) string { return joint["JUPYTERHUB_API_TOKEN"] },
		"the token of the user's cookie": func(string) string { return cookie },
		"a token that is none":           func(string) string { return "0123456789abcdef" },
	} {
		for _, kernels := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, kernel %v", name, kernels), func(t *testing.T) {
				f.mu.Lock()
				f.show, f.kernels = show, kernels
				f.mu.Unlock()
				again := w.audited("delivered") + 1
				require.Less(t, rig.Call(t, ada, http.MethodPost, "api/deliveries", map[string]any{"server": ""}, nil), 300)
				require.Eventually(t, func() bool { return w.audited("delivered") == again }, hubtest.Patience, 50*time.Millisecond)
				requireNothing(t)
			})
		}
	}
	require.False(t, bytes.Contains(w.Hub.Log.Bytes(), []byte(joint["JUPYTERHUB_API_TOKEN"])), "a token that was shown is in a log")

	require.Less(t, rig.Call(t, ada, http.MethodDelete, "api/connection", nil, nil), 300)
	require.Eventually(t, func() bool { return w.audited("removed") == 1 }, hubtest.Patience, 50*time.Millisecond)
	f.mu.Lock()
	defer f.mu.Unlock()
	require.Empty(t, f.got)
}

// audited is how many events of an action the audit has.
func (w *world) audited(action string) int {
	return bytes.Count(w.Hub.Log.Bytes(), []byte(`"action":"`+action+`"`))
}
