package hubtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// Terminal is a real terminal of a Jupyter Server, as JupyterLab opens one. It
// is for one goroutine.
type Terminal struct {
	conn   *websocket.Conn
	url    string // of the terminal in the REST API
	token  string
	output string // what has not been looked at yet
	runs   int
}

// OpenTerminal opens a terminal in the server at serverURL (ending with a
// slash), with a token that may use it. The shell in it is a plain /bin/sh
// without prompt and echo, in the user's environment and home.
func OpenTerminal(ctx context.Context, serverURL, token string) (*Terminal, error) {
	t := &Terminal{token: token}
	name, err := t.create(ctx, serverURL)
	if err != nil {
		return nil, err
	}
	t.url = serverURL + "api/terminals/" + name
	t.conn, _, err = websocket.Dial(ctx, serverURL+"terminals/websocket/"+name,
		&websocket.DialOptions{HTTPClient: local, HTTPHeader: http.Header{"Authorization": {"token " + token}}})
	if err != nil {
		return nil, fmt.Errorf("hubtest: terminal: %w", err)
	}
	t.conn.SetReadLimit(16 << 20)
	// The words are split so that their echo is not taken for them.
	if err := t.send(ctx, "stty -echo; printf '<%s>\\n' is'-'ready; PS1= PS2= exec /bin/sh\n"); err != nil {
		return nil, err
	}
	if _, err := t.until(ctx, regexp.MustCompile(`<is-ready>`)); err != nil {
		return nil, err
	}
	_, _, err = t.Run(ctx, `cd "$HOME"`)
	return t, err
}

// OpenTerminal opens a terminal in a user's running server ("" is the default
// one), with a token of theirs.
func (h *Hub) OpenTerminal(ctx context.Context, user, server string) (*Terminal, error) {
	address, err := h.ServerURL(ctx, user, server)
	if err != nil {
		return nil, err
	}
	token, err := h.UserToken(ctx, user)
	if err != nil {
		return nil, err
	}
	return OpenTerminal(ctx, address, token)
}

func (t *Terminal) create(ctx context.Context, serverURL string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, serverURL+"api/terminals", nil)
	if err != nil {
		return "", fmt.Errorf("hubtest: terminal: %w", err)
	}
	req.Header.Set("Authorization", "token "+t.token)
	res, err := local.Do(req)
	if err != nil {
		return "", fmt.Errorf("hubtest: terminal: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusCreated {
		return "", fmt.Errorf("hubtest: terminal: the server answers %s", res.Status)
	}
	var out struct {
		Name string `json:"name"`
	}
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		return "", fmt.Errorf("hubtest: terminal: %w", err)
	}
	return out.Name, nil
}

var runEnd = regexp.MustCompile(`\n<end:(\d+):(\d+)>`)

// Run types one line of shell and waits for it to end. It returns what was
// printed (standard output and error, as one sees them) and the exit status.
func (t *Terminal) Run(ctx context.Context, line string) (output string, status int, err error) {
	if strings.Contains(line, "\n") {
		return "", 0, errors.New("hubtest: terminal: one line at a time")
	}
	t.runs++
	// In braces, so that the shell has read the whole line before a command
	// that reads the terminal starts.
	if err := t.send(ctx, fmt.Sprintf("{ %s ;}; printf '\\n<%%s:%%d:%%d>\\n' end %d $?\n", line, t.runs)); err != nil {
		return "", 0, err
	}
	for {
		before, err := t.until(ctx, runEnd)
		if err != nil {
			return before, 0, fmt.Errorf("%w; it had printed:\n%s", err, t.output)
		}
		m := runEnd.FindStringSubmatch(before)
		if n, _ := strconv.Atoi(m[1]); n != t.runs {
			continue // of a run that was given up
		}
		status, _ = strconv.Atoi(m[2])
		return strings.TrimSpace(before[:strings.LastIndex(before, "\n<end:")]), status, nil
	}
}

// until reads until the output matches, and takes everything up to the match's end.
func (t *Terminal) until(ctx context.Context, re *regexp.Regexp) (string, error) {
	for {
		if at := re.FindStringIndex(t.output); at != nil {
			taken := t.output[:at[1]]
			t.output = t.output[at[1]:]
			return taken, nil
		}
		var message []any
		if err := wsjson.Read(ctx, t.conn, &message); err != nil {
			return "", fmt.Errorf("hubtest: terminal: %w", err)
		}
		if len(message) < 2 {
			continue
		}
		switch text, _ := message[1].(string); message[0] {
		case "stdout":
			t.output = strings.ReplaceAll(t.output+text, "\r\n", "\n")
		case "disconnect":
			return "", errors.New("hubtest: terminal: the shell has ended")
		}
	}
}

func (t *Terminal) send(ctx context.Context, text string) error {
	if err := wsjson.Write(ctx, t.conn, []any{"stdin", text}); err != nil {
		return fmt.Errorf("hubtest: terminal: %w", err)
	}
	return nil
}

// Close removes the terminal from the server.
func (t *Terminal) Close(ctx context.Context) error {
	_ = t.conn.CloseNow() // the server ends the shell at the DELETE
	req, err := http.NewRequestWithContext(ctx, http.MethodDelete, t.url, nil)
	if err != nil {
		return fmt.Errorf("hubtest: terminal: %w", err)
	}
	req.Header.Set("Authorization", "token "+t.token)
	res, err := local.Do(req)
	if err != nil {
		return fmt.Errorf("hubtest: terminal: %w", err)
	}
	return res.Body.Close()
}
