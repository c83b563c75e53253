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
	"github.com/coder/websocket/wsjson"

	"github.com/ghscoped/ghscoped-service/internal/hubapi"
)

//go:embed kernel.py
var kernelCode string

// kernel runs the script from a Python kernel that is started for it. The
// credential is the answer to a password prompt, which is kept nowhere.
type kernel struct{ patience patience }

func (kernel) name() string { return "kernel" }

func (k kernel) run(ctx context.Context, server *hubapi.UserServer, job job, prove prover) error {
	specs, err := server.KernelSpecs(ctx)
	if err != nil {
		return unlessAbsent("kernels", err)
	}
	spec, found := pythonSpec(specs)
	if !found {
		return &unsupportedError{"there is no Python kernel", fmt.Errorf("kernels: %v", specs.Languages)}
	}
	for range kernelTries - 1 {
		if err = runInKernel(ctx, server, spec, job, prove, k.patience); !errors.Is(err, errUnheard) {
			return err
		}
	}
	return runInKernel(ctx, server, spec, job, prove, patience{})
}

// patience is how long a kernel may take to begin our code, and from then on to ask
// for the input.
//
// A kernel's prompt is lost, and the kernel waits for ever, where the connection
// that carries answers to it was not up yet; so may our request be. Nothing was
// handed over then, so another kernel is started, kernelTries at most; the last has
// all the time that is left.
type patience struct{ start, prompt time.Duration }

const kernelTries = 3

// usual waits long for a start, since the successor of a slow kernel would not be faster.
func usual() patience { return patience{start: 25 * time.Second, prompt: 5 * time.Second} }

// errUnheard: a kernel does not begin our code, or its prompt does not come.
var errUnheard = errors.New("the kernel's prompt was lost")

// runInKernel starts a kernel for the job, and ends it. Without a limit it may take
// until ctx ends.
func runInKernel(ctx context.Context, server *hubapi.UserServer, spec string, job job, prove prover, limits patience) error {
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
	if limits.start > 0 {
		limit := time.AfterFunc(limits.start, func() { giveUp(errUnheard) })
		defer limit.Stop()
		k.runs = func() { limit.Reset(limits.prompt) }
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

type kernelRequest struct {
	Channel string          `json:"channel"`
	Header  kernelHeader    `json:"header"`
	Parent  json.RawMessage `json:"parent_header"`
	Meta    struct{}        `json:"metadata"`
	Content any             `json:"content"`
	Buffers []struct{}      `json:"buffers"`
}

type kernelMessage struct {
	Header  json.RawMessage `json:"header"`
	Parent  kernelHeader    `json:"parent_header"`
	Content struct {
		Text   string `json:"text"`
		Prompt string `json:"prompt"`
		State  string `json:"execution_state"`
	} `json:"content"`
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
		"user_expressions": struct{}{},
	})
}

func (k *kernelChannel) send(ctx context.Context, text string) error {
	return k.write(ctx, "stdin", rand.Text(), "input_reply", k.asked, map[string]any{"status": "ok", "value": text})
}

func (k *kernelChannel) write(ctx context.Context, channel, id, kind string, parent json.RawMessage, content any) error {
	header := kernelHeader{ID: id, Type: kind, Session: k.session, Version: "5.3"}
	return wsjson.Write(ctx, k.conn, kernelRequest{Channel: channel, Header: header, Parent: parent, Content: content, Buffers: []struct{}{}})
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
	var header kernelHeader
	_ = json.Unmarshal(data, &message) // what cannot be read is empty, and so no answer of ours
	_ = json.Unmarshal(message.Header, &header)
	content := message.Content
	if content.State == "dead" || content.State == "restarting" {
		return io.EOF
	}
	if message.Parent.ID != k.request {
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
