package hubapi

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

const (
	// progressLook is how long Progress listens. The Hub tells a new listener
	// all there was, so a short while is enough to get the latest message.
	progressLook = time.Second
	// progressBytes and messageRunes bound what is read and what is kept of it.
	progressBytes = 256 << 10
	messageRunes  = 300
)

// Progress is the Hub's latest message about a server that is starting, in plain text,
// and whether the server is ready. It listens to the event stream for a second
// at most. A server that is not starting has none. Needs the scope
// read:servers for that user.
func (c *Client) Progress(ctx context.Context, token secret.String, user, server string) (message string, ready bool, err error) {
	target := c.api.JoinPath("users", url.PathEscape(user), "server", "progress")
	if server != "" {
		target = c.api.JoinPath("users", url.PathEscape(user), "servers", url.PathEscape(server), "progress")
	}
	listening, cancel := context.WithTimeout(ctx, progressLook)
	defer cancel()
	request, err := http.NewRequestWithContext(listening, http.MethodGet, target.String(), nil)
	if err != nil {
		return "", false, fmt.Errorf("GET %s: %w", target.Path, err)
	}
	request.Header.Set("Authorization", "token "+token.Reveal())
	response, err := c.http.Do(request)
	switch {
	case err != nil && listening.Err() != nil && ctx.Err() == nil:
		return "", false, nil // nothing was said in time
	case err != nil:
		return "", false, &hub.UnavailableError{Err: err}
	}
	defer response.Body.Close()
	err = checkStatus(response)
	var status *statusError
	switch {
	case errors.As(err, &status) && (status.code == http.StatusBadRequest || status.code == http.StatusNotFound):
		return "", false, nil // it is not starting, or never was
	case err != nil:
		return "", false, fmt.Errorf("GET %s: %w", target.Path, err)
	}
	message, ready = lastWord(io.LimitReader(response.Body, progressBytes))
	return message, ready, nil
}

// lastWord reads events until the stream ends, in whatever way, or one of them
// says that it was the last.
func lastWord(stream io.Reader) (message string, ready bool) {
	for lines := bufio.NewScanner(stream); lines.Scan(); {
		data, ok := strings.CutPrefix(lines.Text(), "data:")
		var event struct {
			Message string `json:"message"`
			Ready   bool   `json:"ready"`
			Failed  bool   `json:"failed"`
		}
		if !ok || json.Unmarshal([]byte(data), &event) != nil {
			continue
		}
		if event.Message != "" {
			message = oneLine(event.Message)
		}
		if event.Ready || event.Failed {
			return message, event.Ready
		}
	}
	return message, false
}

// oneLine makes a short line of a text.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > messageRunes {
		return string(runes[:messageRunes-1]) + "…"
	}
	return text
}
