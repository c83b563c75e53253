package deliver

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/ghscoped/ghscoped-service/internal/hubapi"
)

// maxLine bounds what is kept of a line that does not end, in bytes.
const maxLine = 64 << 10

// pty is a terminal in the server, seen through its websocket. It is a
// [channel].
type pty struct {
	server *hubapi.UserServer
	name   string
	conn   *websocket.Conn
	// chunks carries the output; closed when the program has ended or the
	// connection is lost.
	chunks  chan string
	pending string
	// finishes: the program ends by itself and needs not be waited for long.
	finishes bool
	// gone: the server has said that the terminal is no more.
	gone atomic.Bool
}

// openPTY starts a terminal and connects to it; an [unsupportedError] where there is none.
func openPTY(ctx context.Context, server *hubapi.UserServer, command []string) (*pty, error) {
	name, err := server.StartTerminal(ctx, command)
	if err != nil {
		return nil, unlessAbsent("terminals", err)
	}
	conn, err := server.DialTerminal(ctx, name)
	if err != nil {
		tidy, cancel := farewell(ctx)
		defer cancel()
		_ = server.DeleteTerminal(tidy, name)
		return nil, unlessAbsent("terminals", err)
	}
	p := &pty{server: server, name: name, conn: conn, chunks: make(chan string)}
	go p.read(ctx)
	return p, nil
}

// unlessAbsent recognises the answers by which a server says that it does not
// offer what was asked for, or (500) that it could not start it.
func unlessAbsent(what string, err error) error {
	switch hubapi.Status(err) {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return &unsupportedError{what + " are switched off", err}
	case http.StatusForbidden:
		return &unsupportedError{what + " are forbidden", err}
	case http.StatusBadRequest, http.StatusInternalServerError:
		return &unsupportedError{what + " do not start", err}
	}
	return err
}

// read ends with the connection, and where nobody takes the output with ctx.
func (p *pty) read(ctx context.Context) {
	defer close(p.chunks)
	for {
		_, message, err := p.conn.Read(ctx)
		if err != nil {
			return
		}
		kind, text := terminado(message)
		switch kind {
		case "disconnect":
			p.gone.Store(true)
			return
		case "stdout":
			select {
			case p.chunks <- text:
			case <-ctx.Done():
				return
			}
		}
	}
}

// terminado reads a message: an array of its kind and, of output, the text. What cannot
// be read is empty.
func terminado(message []byte) (kind, text string) {
	var parts [2]any
	_ = json.Unmarshal(message, &parts)
	kind, _ = parts[0].(string)
	text, _ = parts[1].(string)
	return kind, text
}

// output is the next piece of output, io.EOF at the end.
func (p *pty) output(ctx context.Context) (string, error) {
	select {
	case text, open := <-p.chunks:
		if !open {
			return "", io.EOF
		}
		return text, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (p *pty) line(ctx context.Context) (string, error) {
	for {
		if line, rest, found := strings.Cut(p.pending, "\n"); found {
			p.pending = rest
			return line, nil
		}
		if len(p.pending) > maxLine {
			p.pending = ""
		}
		text, err := p.output(ctx)
		if err != nil {
			return "", err
		}
		p.pending += text
	}
}

func (p *pty) send(ctx context.Context, text string) error {
	return wsjson.Write(ctx, p.conn, []string{"stdin", text})
}

// close sees to it that the terminal is gone. One whose program ends by itself
// goes more quickly than it can be deleted. One that is gone is not deleted: its
// name is free again, and the user may have opened the next one under it.
func (p *pty) close(ctx context.Context) {
	tidy, cancel := farewell(ctx)
	defer cancel()
	if p.finishes {
		ending, enough := context.WithTimeout(tidy, 300*time.Millisecond)
		defer enough()
		for err := error(nil); err == nil; {
			_, err = p.output(ending)
		}
	}
	if !p.gone.Load() {
		_ = p.server.DeleteTerminal(tidy, p.name)
	}
	_ = p.conn.CloseNow()
}
