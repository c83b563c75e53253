package deliver

import (
	"cmp"
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/ghscoped/ghscoped-service/internal/hubapi"
)

//go:embed kernel.py
var kernelCode string

// kernel runs the script from a Python kernel that is started for it. The
// credential is the answer to a password prompt, which is kept nowhere.
type kernel struct{}

func (kernel) name() string { return "kernel" }

func (kernel) run(ctx context.Context, server *hubapi.UserServer, job job, prove prover) error {
	specs, err := server.KernelSpecs(ctx)
	if err != nil {
		return unlessAbsent("kernels", err)
	}
	spec, found := pythonSpec(specs)
	if !found {
		return &unsupportedError{"there is no Python kernel", fmt.Errorf("kernels: %v", specs.Languages)}
	}
	for range kernelTries - 1 {
		if err = runInKernel(ctx, server, spec, job, prove, kernelPatience); !errors.Is(err, errUnheard) {
			return err
		}
	}
	return runInKernel(ctx, server, spec, job, prove, 0)
}

// A kernel's prompt is lost, and the kernel waits for ever, where the connection
// that carries answers to it was not up yet; so may our request be. Nothing was
// handed over then, so another kernel is started, kernelTries at most, where one
// has not begun our code by kernelStart, or has run it for kernelPatience without
// a prompt; the last has all the time that is left. The first limit is long, since
// the successor of a slow kernel would not be faster.
const (
	kernelTries    = 3
	kernelPatience = 5 * time.Second
	kernelStart    = 25 * time.Second
)

// errUnheard: a kernel does not begin our code, or its prompt does not come.
var errUnheard = errors.New("the kernel's prompt was lost")

// runInKernel starts a kernel for the job, and ends it. Patience is what it has
// to ask for the input from the moment when it runs our code, for which it has
// kernelStart; 0: both until ctx ends.
func runInKernel(ctx context.Context, server *hubapi.UserServer, spec string, job job, prove prover, patience time.Duration) error {
	id, err := server.StartKernel(ctx, spec)
	if err != nil {
		return unlessAbsent("kernels", err)
	}
	defer func() {
		tidy, cancel := farewell(ctx)
		defer cancel()
		_ = server.DeleteKernel(tidy, id)
	}()
	session := rand.Text()
	conn, err := server.DialKernel(ctx, id, session)
	if err != nil {
		return unlessAbsent("kernels", err)
	}
	defer func() { _ = conn.CloseNow() }()
	waiting, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	k := &kernelChannel{conn: conn, session: session, runs: func() {}}
	if patience > 0 {
		limit := time.AfterFunc(kernelStart, func() { giveUp(errUnheard) })
		defer limit.Stop()
		k.runs = func() { limit.Reset(patience) }
	}
	if err := k.execute(ctx, job); err != nil {
		return &unsupportedError{"the kernel takes no input", err}
	}
	err = converse(waiting, ctx, k, job, prove)
	if _, unheard := errors.AsType[*unsupportedError](err); unheard && errors.Is(context.Cause(waiting), errUnheard) {
		return &unsupportedError{"the kernel does not ask for the input", errUnheard}
	}
	return err
}

// pythonSpec chooses the default kernel if it is a Python one, else the first
// Python one by name.
func pythonSpec(specs hubapi.KernelSpecs) (string, bool) {
	python := func(name string) bool { return strings.EqualFold(specs.Languages[name], "python") }
	if python(specs.Default) {
		return specs.Default, true
	}
	names := slices.SortedFunc(maps.Keys(specs.Languages), cmp.Compare[string])
	i := slices.IndexFunc(names, python)
	if i < 0 {
		return "", false
	}
	return names[i], true
}

// kernelChannel is a [channel] over Jupyter's messaging protocol (5.x, JSON).
type kernelChannel struct {
	conn    *websocket.Conn
	session string
	// request is the id of our execute_request.
	request string
	// runs is called when the kernel begins to run our code.
	runs func()
	// asked is the header of the prompt that waits for an answer.
	asked   json.RawMessage
	pending []string
}

type kernelMessage struct {
	Channel string          `json:"channel"`
	Header  json.RawMessage `json:"header"`
	Parent  json.RawMessage `json:"parent_header"`
	Meta    struct{}        `json:"metadata"`
	Content json.RawMessage `json:"content"`
	Buffers []struct{}      `json:"buffers"`
}

type kernelHeader struct {
	ID       string `json:"msg_id"`
	Type     string `json:"msg_type"`
	Session  string `json:"session,omitempty"`
	Username string `json:"username"`
	Version  string `json:"version,omitempty"`
}

func (k *kernelChannel) execute(ctx context.Context, job job) error {
	code := kernelCode + "_ghscoped(" + strconv.QuoteToASCII(job.script) + ", " +
		`"ghscoped " + "` + job.markA + `" + "` + job.markB + ` ready")`
	k.request = rand.Text()
	return k.write(ctx, "shell", k.request, "execute_request", json.RawMessage("{}"), map[string]any{
		"code": code, "silent": true, "store_history": false, "allow_stdin": true,
		"stop_on_error": true, "user_expressions": struct{}{},
	})
}

func (k *kernelChannel) send(ctx context.Context, text string) error {
	return k.write(ctx, "stdin", rand.Text(), "input_reply", k.asked, map[string]any{"status": "ok", "value": text})
}

func (k *kernelChannel) write(ctx context.Context, channel, id, kind string, parent json.RawMessage, content any) error {
	header, err := json.Marshal(kernelHeader{ID: id, Type: kind, Session: k.session, Version: "5.3"})
	if err != nil {
		return err
	}
	body, err := json.Marshal(content)
	if err != nil {
		return err
	}
	message, err := json.Marshal(kernelMessage{Channel: channel, Header: header, Parent: parent, Content: body, Buffers: []struct{}{}})
	if err != nil {
		return err
	}
	return k.conn.Write(ctx, websocket.MessageText, message)
}

// line is the next line that our code printed, or the prompt it shows.
func (k *kernelChannel) line(ctx context.Context) (string, error) {
	for len(k.pending) == 0 {
		if err := k.read(ctx); err != nil {
			return "", err
		}
	}
	line := k.pending[0]
	k.pending = k.pending[1:]
	return line, nil
}

func (k *kernelChannel) read(ctx context.Context) error {
	_, data, err := k.conn.Read(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", io.EOF, err)
	}
	var message kernelMessage
	var header, parent kernelHeader
	if json.Unmarshal(data, &message) != nil || json.Unmarshal(message.Header, &header) != nil {
		return nil
	}
	var content struct {
		Text   string `json:"text"`
		Prompt string `json:"prompt"`
		State  string `json:"execution_state"`
	}
	if json.Unmarshal(message.Parent, &parent) != nil || json.Unmarshal(message.Content, &content) != nil {
		return nil
	}
	if content.State == "dead" || content.State == "restarting" {
		return io.EOF
	}
	if parent.ID != k.request {
		return nil
	}
	switch header.Type {
	case "stream":
		k.pending = strings.Split(content.Text, "\n")
	case "input_request":
		k.asked = message.Header
		k.pending = []string{content.Prompt}
	case "status":
		switch content.State {
		case "busy":
			k.runs()
		case "idle": // on the channel of the output, and so after the last of it
			return io.EOF
		}
	}
	return nil
}
