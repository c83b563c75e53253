package deliver

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/credential"
	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/hubapi"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// jupyter is a user's server as Jupyter Server answers, with a function of the test's
// in place of the script. The real ones are in test/deliver.
type jupyter struct {
	// answers are statuses instead of what is asked for, by method and path; 0 cuts
	// the connection.
	answers map[string]int
	// language is that of the kernels; none: Python.
	language string
	// script is run in each terminal and kernel; none: what the script does where
	// nothing is wrong.
	script func(s *script)

	mu      sync.Mutex
	mark    string
	started int
	calls   []string
	got     string // what was handed in
	open    sync.WaitGroup
}

// script is a running script, seen from inside.
type script struct {
	server *jupyter
	// number counts the terminals and kernels; the first is 1.
	number int
	ctx    context.Context
	conn   *websocket.Conn
	// request is the header of a kernel's request; nil: it is a terminal.
	request json.RawMessage
	// stays: the terminal's program does not end.
	stays bool
}

func (s *script) terminal() bool { return s.request == nil }

func (s *script) write(message any) { _ = wsjson.Write(s.ctx, s.conn, message) }

func (s *script) raw(text string) { _ = s.conn.Write(s.ctx, websocket.MessageText, []byte(text)) }

// message is one of a kernel.
func (s *script) message(kind string, content map[string]any) {
	s.write(map[string]any{"header": map[string]string{"msg_id": "7-" + kind, "msg_type": kind}, "parent_header": s.request, "content": content})
}

// show prints a text.
func (s *script) show(text string) {
	if s.terminal() {
		s.write([]string{"stdout", text})
		return
	}
	s.message("stream", map[string]any{"name": "stdout", "text": text})
}

// say prints a line of the script's.
func (s *script) say(text string) { s.show("ghscoped " + s.server.known() + " " + text + "\r\n") }

// ready asks for the input, and shows a token as the server's own.
func (s *script) ready(token string) {
	if s.terminal() {
		s.say("ready " + token)
		return
	}
	s.message("input_request", map[string]any{"prompt": "ghscoped " + s.server.known() + " ready " + token, "password": true})
}

// read takes the input.
func (s *script) read() {
	_, data, err := s.conn.Read(s.ctx)
	if err != nil {
		return
	}
	var line []string
	var reply struct {
		Channel string            `json:"channel"`
		Parent  map[string]string `json:"parent_header"`
		Content map[string]string `json:"content"`
	}
	text := ""
	switch {
	case s.terminal():
		if json.Unmarshal(data, &line) == nil && len(line) == 2 && line[0] == "stdin" {
			text = line[1]
		}
	case json.Unmarshal(data, &reply) == nil && reply.Channel == "stdin" && reply.Parent["msg_id"] == "7-input_request":
		text = reply.Content["value"]
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.got += text
}

// succeed is what the script does where nothing is wrong.
func (s *script) succeed() {
	s.ready("own")
	s.read()
	s.say("done")
}

// take is what a slow server does.
func (s *script) take(long time.Duration) {
	select {
	case <-time.After(long):
	case <-s.ctx.Done():
	}
}

// wait is until the other side closes the connection.
func (s *script) wait() {
	for {
		if _, _, err := s.conn.Read(s.ctx); err != nil {
			return
		}
	}
}

var marks = regexp.MustCompile(`mark_a='(\w+)'[\\n]*mark_b='(\w+)'`)

func (j *jupyter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/user/ada/")
	call := r.Method + " " + path
	j.mu.Lock()
	j.calls = append(j.calls, call)
	j.mu.Unlock()

	status, refused := j.answers[call]
	switch {
	case refused && status == 0:
		panic(http.ErrAbortHandler)
	case refused:
		w.WriteHeader(status)
	case call == "GET api/kernelspecs":
		language := map[string]string{"": "python"}[j.language] + j.language
		_, _ = io.WriteString(w, `{"default": "k", "kernelspecs": {"k": {"spec": {"language": "`+language+`"}}}}`)
	case call == "POST api/terminals":
		body, _ := io.ReadAll(r.Body)
		j.know(string(body))
		_, _ = io.WriteString(w, `{"name": "1"}`)
	case call == "POST api/kernels":
		_, _ = io.WriteString(w, `{"id": "7"}`)
	case strings.HasSuffix(path, "terminals/websocket/1"), path == "api/kernels/7/channels":
		j.serve(w, r)
	case r.Method == http.MethodDelete:
		w.WriteHeader(http.StatusNoContent)
	}
}

func (j *jupyter) known() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.mark
}

func (j *jupyter) received() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.got
}

// know finds the marks in a text that holds the script.
func (j *jupyter) know(text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if found := marks.FindStringSubmatch(text); found != nil {
		j.mark = found[1] + found[2]
	}
}

// serve runs the script at a websocket, and keeps that until the other side closes it.
func (j *jupyter) serve(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(1 << 20)
	j.open.Add(1)
	defer j.open.Done()
	j.mu.Lock()
	j.started++
	s := &script{server: j, number: j.started, ctx: r.Context(), conn: conn}
	j.mu.Unlock()
	run := j.script
	if run == nil {
		run = (*script).succeed
	}

	if strings.HasPrefix(r.URL.Path, "/user/ada/terminals") {
		s.raw(`["setup", {}]`)
		run(s)
		if !s.stays { // a program takes a moment to end
			time.AfterFunc(20*time.Millisecond, func() { s.raw(`["disconnect", 1]`) })
		}
	} else {
		_, data, _ := conn.Read(s.ctx)
		var request struct {
			Header  json.RawMessage
			Content struct {
				Silent bool
				Stdin  bool `json:"allow_stdin"`
			}
		}
		_ = json.Unmarshal(data, &request)
		s.request = request.Header
		j.know(string(data))
		if !request.Content.Silent {
			j.mu.Lock()
			j.got += "the code, which everybody sees who has the kernel open"
			j.mu.Unlock()
		}
		if request.Content.Stdin { // else it may ask for nothing
			run(s)
		}
		s.message("status", map[string]any{"execution_state": "idle"})
	}
	s.wait()
}

// deleted are the terminals and kernels that were.
func (j *jupyter) deleted() (all []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, call := range j.calls {
		if what, is := strings.CutPrefix(call, "DELETE api/"); is {
			all = append(all, what)
		}
	}
	return all
}

// deliver delivers to the server, whose own Hub token is "own".
func (j *jupyter) deliver(ctx context.Context, t *testing.T, d *Deliverer, c credential.Credential) (transport string, err error) {
	t.Helper()
	server := httptest.NewServer(j)
	t.Cleanup(server.Close)
	d.options.HTTP = server.Client()
	base, err := url.Parse(server.URL + "/user/ada/")
	require.NoError(t, err)
	transport, err = d.Deliver(ctx, hub.Target{Address: hub.Address{URL: base}, Token: secret.New("t"), Prove: func(_ context.Context, token secret.String) error {
		if token.Reveal() != "own" {
			return &apierror.Error{Code: "server_unproven"}
		}
		return nil
	}}, c)

	closed := make(chan struct{})
	go func() { j.open.Wait(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(2 * time.Second):
		require.Fail(t, "a connection stays open")
	}
	return transport, err
}

func newDeliverer(t *testing.T, options Options) *Deliverer {
	t.Helper()
	d, err := New(options)
	require.NoError(t, err)
	return d
}

const noTerminals, noKernels = "POST api/terminals", "GET api/kernelspecs"

func TestDeliverUsesWhatTheServerSupports(t *testing.T) {
	t.Parallel()
	refused := func(calls ...any) map[string]int {
		answers := map[string]int{}
		for i := 0; i < len(calls); i += 2 {
			answers[calls[i].(string)] = calls[i+1].(int)
		}
		return answers
	}
	inTerminalsOnly := func(what func(s *script)) func(s *script) {
		return func(s *script) {
			if s.terminal() {
				what(s)
				return
			}
			s.succeed()
		}
	}
	for _, c := range []struct {
		name      string
		server    *jupyter
		timeout   time.Duration
		transport string
		deleted   []string
	}{
		{"a terminal, which ends by itself", &jupyter{}, 0, "terminal", nil},
		{"a terminal that does not end", &jupyter{script: func(s *script) { s.stays = true; s.succeed() }}, 0, "terminal", []string{"terminals/1"}},
		{"a terminal whose output comes in pieces", &jupyter{script: func(s *script) {
			for _, part := range []string{"ghsco", "ped " + s.server.known(), " rea", "dy own\r", "\n"} {
				s.show(part)
			}
			s.read()
			s.show("done is not said yet: ghscoped " + s.server.known())
			s.show(" do")
			s.show("ne\r\nand more")
		}}, 0, "terminal", nil},
		{"a terminal with messages that nobody knows", &jupyter{script: func(s *script) {
			for _, message := range []string{`[]`, `["stdout"]`, `["stdout", 5]`, `[5, "x"]`, `{"stdout": "x"}`, `stdout`, `["bell", "$ "]`} {
				s.raw(message)
			}
			s.succeed()
		}}, 0, "terminal", nil},
		{"terminals that are switched off", &jupyter{answers: refused(noTerminals, 404)}, 0, "kernel", []string{"kernels/7"}},
		{"terminals that the server does not know", &jupyter{answers: refused(noTerminals, 405)}, 0, "kernel", []string{"kernels/7"}},
		{"terminals that are not made", &jupyter{answers: refused(noTerminals, 501)}, 0, "kernel", []string{"kernels/7"}},
		{"terminals that are forbidden", &jupyter{answers: refused(noTerminals, 403)}, 0, "kernel", []string{"kernels/7"}},
		{"terminals that are asked for in another way", &jupyter{answers: refused(noTerminals, 400)}, 0, "kernel", []string{"kernels/7"}},
		{"terminals that do not start", &jupyter{answers: refused(noTerminals, 500)}, 0, "kernel", []string{"kernels/7"}},
		{"a terminal that nobody can talk to", &jupyter{answers: refused("GET terminals/websocket/1", 404)}, 0, "kernel", []string{"terminals/1", "kernels/7"}},
		{"a terminal that shows a prompt", &jupyter{script: inTerminalsOnly(func(s *script) { s.stays = true; s.show("$ ") })}, 0, "kernel", []string{"terminals/1", "kernels/7"}},
		{"a terminal that ends at once", &jupyter{script: inTerminalsOnly(func(*script) {})}, 0, "kernel", []string{"kernels/7"}},
		{"a terminal that shows nothing", &jupyter{script: inTerminalsOnly(func(s *script) { s.stays = true })}, 2 * time.Second, "kernel", []string{"terminals/1", "kernels/7"}},
		{"a terminal without what the script needs", &jupyter{script: inTerminalsOnly(func(s *script) { s.say("error no_stty") })}, 0, "kernel", []string{"kernels/7"}},
		{"a kernel with messages that are no answer", &jupyter{answers: refused(noTerminals, 404), script: func(s *script) {
			s.message("status", map[string]any{"execution_state": "busy"})
			for _, message := range []string{`nothing`, `{"header": {"msg_type": "status"}, "parent_header": {}, "content": {"execution_state": "idle"}}`, `{"header": 5}`, `{"parent_header": "x"}`, `{"content": []}`} {
				s.raw(message)
			}
			ours := s.request
			s.request = json.RawMessage(`{"msg_id": "of another"}`)
			s.say("error quota")
			s.ready("of another")
			s.message("status", map[string]any{"execution_state": "idle"})
			s.request = ours
			s.message("stream", map[string]any{"text": 5})
			s.message("execute_input", map[string]any{"text": "ghscoped " + s.server.known() + " error quota"})
			s.show("one line\nghscoped " + s.server.known())
			s.succeed()
		}}, 0, "kernel", []string{"kernels/7"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			transport, err := c.server.deliver(t.Context(), t, newDeliverer(t, Options{Timeout: cmp.Or(c.timeout, 10*time.Second)}), gitCredential())
			require.NoError(t, err)
			require.Equal(t, c.transport, transport)
			require.Regexp(t, "^username=.*\npassword="+token+"\n.*\nend "+c.server.known()+"\n$", c.server.received())
			require.Equal(t, c.deleted, c.server.deleted())
			require.Less(t, time.Since(began), 5*time.Second)
		})
	}
}

func TestDeliverSaysWhatWentWrong(t *testing.T) {
	t.Parallel()
	says := func(words ...string) func(s *script) {
		return func(s *script) {
			s.ready("own")
			s.read()
			for _, word := range words {
				s.say(word)
			}
		}
	}
	for _, c := range []struct {
		name      string
		server    *jupyter
		timeout   time.Duration
		transport string
		code      string
		retryable bool
		message   string // part of it
	}{
		{"401", &jupyter{answers: map[string]int{noTerminals: 401}}, 0, "terminal", "server_refused_token", false, "sign-in"},
		{"403 everywhere", &jupyter{answers: map[string]int{noTerminals: 403, noKernels: 403}}, 0, "", "server_refused_token", false, "sign-in"},
		{"424, as the Hub says", &jupyter{answers: map[string]int{noTerminals: 424}}, 0, "terminal", "server_not_ready", true, "not running"},
		{"503", &jupyter{answers: map[string]int{noTerminals: 503}}, 0, "terminal", "server_not_ready", true, "not running"},
		{"302, to the Hub", &jupyter{answers: map[string]int{noTerminals: 302}}, 0, "terminal", "server_not_ready", true, "not running"},
		{"418", &jupyter{answers: map[string]int{noTerminals: 418}}, 0, "terminal", "server_unreachable", true, "does not answer"},
		{"no answer", &jupyter{answers: map[string]int{noTerminals: 0}}, 0, "terminal", "server_unreachable", true, "does not answer"},
		{"no answer about kernels", &jupyter{answers: map[string]int{noTerminals: 404, noKernels: 0}}, 0, "kernel", "server_unreachable", true, "does not answer"},
		{"no answer to a kernel's start", &jupyter{answers: map[string]int{noTerminals: 404, "POST api/kernels": 0}}, 0, "kernel", "server_unreachable", true, "does not answer"},

		{"nothing is on", &jupyter{answers: map[string]int{noTerminals: 404, noKernels: 404}}, 0, "", "no_way_in", false, "terminals are switched off; kernels are switched off."},
		{"no Python", &jupyter{answers: map[string]int{noTerminals: 500}, language: "R"}, 0, "", "no_way_in", false, "terminals do not start; there is no Python kernel."},
		{"kernels do not start", &jupyter{answers: map[string]int{noTerminals: 403, "POST api/kernels": 500}}, 0, "", "server_refused_token", false, "sign-in"},
		{"a kernel that nobody can talk to", &jupyter{answers: map[string]int{noTerminals: 404, "GET api/kernels/7/channels": 404}}, 0, "", "no_way_in", false, "kernels are switched off."},
		{"a terminal that ends, and no kernels", &jupyter{answers: map[string]int{noKernels: 404}, script: func(*script) {}}, 0, "", "no_way_in", false, "a terminal cannot run a program; kernels are switched off."},
		{"a terminal that runs something else, and no kernels", &jupyter{answers: map[string]int{noKernels: 404}, script: func(s *script) { s.show("$ ") }}, 0, "", "no_way_in", false, "a terminal cannot be told what to run; kernels"},
		{"the script does not start", &jupyter{script: func(s *script) { s.say("error no_stty") }}, 0, "", "no_way_in", false, "into this server: the script does not start."},
		{"no shell", &jupyter{script: func(s *script) { s.say("error no_shell") }}, 0, "", "no_shell", false, "shell"},
		{"a kernel that dies", &jupyter{answers: map[string]int{noTerminals: 404}, script: func(s *script) {
			s.message("status", map[string]any{"execution_state": "dead"})
			s.wait()
		}}, 0, "", "no_way_in", false, "the script does not start"},
		{"a kernel that starts again", &jupyter{answers: map[string]int{noTerminals: 404}, script: func(s *script) {
			s.message("status", map[string]any{"execution_state": "restarting"})
			s.wait()
		}}, 0, "", "no_way_in", false, "the script does not start"},

		{"another server's token", &jupyter{script: func(s *script) { s.ready("another"); s.wait() }}, 0, "terminal", "server_unproven", false, ""},
		{"a full disk", &jupyter{script: says("error disk_full")}, 0, "terminal", "disk_full", true, "full"},
		{"a cause that nobody knows", &jupyter{script: says("error gremlins")}, 0, "terminal", "write_failed", true, "could not be written"},
		{"a remark", &jupyter{script: says("done helper_copies")}, 0, "terminal", "helper_copies", false, "another helper"},
		{"an end without a verdict", &jupyter{script: says()}, 0, "terminal", "delivery_interrupted", true, "went away"},
		{"a kernel's end without a verdict", &jupyter{answers: map[string]int{noTerminals: 404}, script: says()}, 0, "kernel", "delivery_interrupted", true, "went away"},
		{"an end after the output of a program", &jupyter{script: says("hello")}, 0, "terminal", "delivery_interrupted", true, "went away"},
		{"a server that shows nothing", &jupyter{script: func(s *script) { s.stays = true; s.wait() }}, 300 * time.Millisecond, "kernel", "delivery_timeout", true, "too long"},
		{"a script that does not end", &jupyter{script: func(s *script) { s.ready("own"); s.stays = true }}, 300 * time.Millisecond, "terminal", "delivery_timeout", true, "too long"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			transport, err := c.server.deliver(t.Context(), t, newDeliverer(t, Options{Timeout: cmp.Or(c.timeout, 10*time.Second)}), gitCredential())
			said := &apierror.Error{}
			require.ErrorAs(t, err, &said)
			require.Equal(t, c.code, said.Code)
			require.Equal(t, c.transport, transport)
			require.Equal(t, c.retryable, said.Retryable)
			require.Contains(t, said.Message, c.message)
			require.Less(t, time.Since(began), 5*time.Second)
		})
	}
}

func TestDeliverThatIsGivenUpMayBeTriedAgain(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	server := &jupyter{script: func(s *script) { cancel(); s.wait() }}
	_, err := server.deliver(ctx, t, newDeliverer(t, Options{}), gitCredential())
	said := &apierror.Error{}
	require.ErrorAs(t, err, &said)
	require.Equal(t, "delivery_interrupted", said.Code)
	require.True(t, said.Retryable)
	require.Equal(t, []string{"terminals/1"}, server.deleted(), "it is cleared away nevertheless")
}

func TestDeliverAsksNothingOfAServerForABadCredential(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		spoil func(c *credential.Credential)
		code  string
	}{
		{"over http", func(c *credential.Credential) { c.Host = &url.URL{Scheme: "http", Host: "github.com"} }, "insecure_host"},
		{"for two lines as a host", func(c *credential.Credential) { c.Host = &url.URL{Scheme: "https", Host: "github.com\nhost=evil"} }, "insecure_host"},
		{"a user name of two lines", func(c *credential.Credential) { c.Username = "x\nhost=evil" }, "bad_credential"},
		{"a password of two lines", func(c *credential.Credential) { c.Password = secret.New("x\nhost=evil") }, "bad_credential"},
		{"a password with DEL", func(c *credential.Credential) { c.Password = secret.New("x\x7f") }, "bad_credential"},
		{"no password", func(c *credential.Credential) { c.Password = secret.String{} }, "bad_credential"},
		{"no end", func(c *credential.Credential) { c.ExpiresAt = time.Time{} }, "bad_credential"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := &jupyter{}
			bad := gitCredential()
			c.spoil(&bad)
			_, err := server.deliver(t.Context(), t, newDeliverer(t, Options{}), bad)
			require.Equal(t, c.code, apierror.CodeOf(err))
			require.Empty(t, server.calls)
			require.Equal(t, c.code, apierror.CodeOf(newDeliverer(t, Options{}).DeliverHere(t.Context(), bad)))
		})
	}
}

func TestKernelIsTriedAgainWhereItsPromptIsLost(t *testing.T) {
	t.Parallel()
	busy := func(s *script) { s.message("status", map[string]any{"execution_state": "busy"}) }
	const long = time.Hour
	for _, c := range []struct {
		name    string
		limits  patience
		script  func(s *script)
		started int
		code    string
	}{
		{"it comes late", patience{time.Second, long}, func(s *script) {
			busy(s)
			s.take(1500 * time.Millisecond)
			s.succeed()
		}, 1, ""},
		{"the first two are lost", patience{long, 50 * time.Millisecond}, func(s *script) {
			busy(s)
			if s.number < 3 {
				s.wait()
			}
			s.succeed()
		}, 3, ""},
		{"the first two do not begin", patience{50 * time.Millisecond, long}, func(s *script) {
			if s.number < 3 {
				s.wait()
			}
			s.succeed()
		}, 3, ""},
		{"the last has all the time", patience{50 * time.Millisecond, 50 * time.Millisecond}, func(s *script) {
			if s.number < 3 {
				s.wait()
			}
			s.take(200 * time.Millisecond)
			busy(s)
			s.take(200 * time.Millisecond)
			s.succeed()
		}, 3, ""},
		{"another error", patience{long, long}, func(s *script) { s.say("error no_shell") }, 1, "no_shell"},
		{"after the prompt it may take longer", patience{long, time.Second}, func(s *script) {
			busy(s)
			s.ready("own")
			s.read()
			s.take(1200 * time.Millisecond)
			s.say("done")
		}, 1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := &jupyter{script: c.script}
			d := newDeliverer(t, Options{Timeout: 5 * time.Second})
			d.transports = []transport{kernel{c.limits}}
			began := time.Now()
			_, err := server.deliver(t.Context(), t, d, gitCredential())
			require.Equal(t, c.code, apierror.CodeOf(err))
			require.Equal(t, c.started, server.started)
			require.Equal(t, slices.Repeat([]string{"kernels/7"}, c.started), server.deleted(), "none is left")
			require.Less(t, time.Since(began), 10*time.Second)
		})
	}
}

func TestKernelOfPythonIsChosen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, preferred string
		languages       map[string]string
		want            string
	}{
		{"the default one", "py", map[string]string{"a": "python", "py": "Python"}, "py"},
		{"the first by name, where the default one is not", "ir", map[string]string{"ir": "R", "py3": "python", "py2": "python"}, "py2"},
		{"none", "ir", map[string]string{"ir": "R", "": ""}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			name, found := pythonSpec(hubapi.KernelSpecs{Default: c.preferred, Languages: c.languages})
			require.Equal(t, c.want, name)
			require.Equal(t, c.want != "", found)
		})
	}
}

// A program that writes without an end of line must not fill the service's memory.
func TestTerminalKeepsNoLineWithoutEnd(t *testing.T) {
	t.Parallel()
	p := &pty{chunks: make(chan string)}
	go func() {
		for range 100 {
			p.chunks <- strings.Repeat("x", maxLine/2)
		}
		p.chunks <- "\n"
	}()
	line, err := p.line(t.Context())
	require.NoError(t, err)
	require.LessOrEqual(t, len(line), 2*maxLine)
}

func TestClearingAwayOutlivesTheDeliveryForSeconds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	tidy, done := farewell(ctx)
	defer done()
	require.NoError(t, tidy.Err())
	deadline, _ := tidy.Deadline()
	require.Less(t, time.Until(deadline), 10*time.Second)
}
