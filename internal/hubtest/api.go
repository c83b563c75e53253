package hubtest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// API asks the Hub's REST API as the holder of token; path begins with a
// slash, in and out may be nil. It returns the status, whatever it is.
func (h *Hub) API(ctx context.Context, token, method, path string, in, out any) (int, error) {
	res, err := h.request(ctx, token, method, path, in)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	if out != nil && res.StatusCode < 300 {
		if err := json.NewDecoder(res.Body).Decode(out); err != nil {
			return res.StatusCode, fmt.Errorf("hubtest: %s %s: %w", method, path, err)
		}
	}
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

func (h *Hub) request(ctx context.Context, token, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("hubtest: %s %s: %w", method, path, err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, h.APIURL+path, body)
	if err != nil {
		return nil, fmt.Errorf("hubtest: %w", err)
	}
	req.Header.Set("Authorization", "token "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("hubtest: %w", err)
	}
	return res, nil
}

// admin asks as the admin and wants one of the statuses.
func (h *Hub) admin(ctx context.Context, method, path string, in, out any, want ...int) error {
	status, err := h.API(ctx, h.AdminToken, method, path, in, out)
	if err != nil {
		return err
	}
	for _, w := range want {
		if status == w {
			return nil
		}
	}
	return fmt.Errorf("hubtest: %s %s: the Hub answers %d", method, path, status)
}

// userPath is the API path of a user, any name.
func userPath(user string) string { return "/users/" + url.PathEscape(user) }

func serverPath(user, server string) string {
	if server == "" {
		return userPath(user) + "/server"
	}
	return userPath(user) + "/servers/" + url.PathEscape(server)
}

// CreateUser adds a user; one who exists already is no error.
func (h *Hub) CreateUser(ctx context.Context, user string) error {
	return h.admin(ctx, http.MethodPost, userPath(user), nil, nil, http.StatusCreated, http.StatusConflict)
}

// UserToken makes a token of an existing user. Without scopes it may do what
// the user may do.
func (h *Hub) UserToken(ctx context.Context, user string, scopes ...string) (string, error) {
	in := map[string]any{"note": "hubtest", "expires_in": 3600}
	if scopes != nil {
		in["scopes"] = scopes
	}
	var out struct {
		Token string `json:"token"`
	}
	err := h.admin(ctx, http.MethodPost, userPath(user)+"/tokens", in, &out, http.StatusOK, http.StatusCreated)
	return out.Token, err
}

// ServerToken makes a token of an existing user that can do what the own token of
// a server of theirs can, by the role "server" of these Hubs.
func (h *Hub) ServerToken(ctx context.Context, user, server string) (string, error) {
	return h.UserToken(ctx, user, "access:services!service="+ServiceName, "access:servers!server="+user+"/"+server,
		"users:activity!user", "read:users!user")
}

// Server is what the Hub says about one server of a user.
type Server struct {
	Name    string `json:"name"`
	Ready   bool   `json:"ready"`
	Pending string `json:"pending"`
	URL     string `json:"url"` // a path
}

// Servers are a user's servers by name; "" is the default one.
func (h *Hub) Servers(ctx context.Context, user string) (map[string]Server, error) {
	var out struct {
		Servers map[string]Server `json:"servers"`
	}
	err := h.admin(ctx, http.MethodGet, userPath(user), nil, &out, http.StatusOK)
	return out.Servers, err
}

// ServerURL is the public address of a user's server, ending with a slash.
func (h *Hub) ServerURL(ctx context.Context, user, server string) (string, error) {
	servers, err := h.Servers(ctx, user)
	if err != nil {
		return "", err
	}
	s, ok := servers[server]
	if !ok {
		return "", fmt.Errorf("hubtest: %s has no server %q running", user, server)
	}
	base, err := url.Parse(h.URL)
	if err != nil {
		return "", fmt.Errorf("hubtest: %w", err)
	}
	ref, err := base.Parse(s.URL)
	if err != nil {
		return "", fmt.Errorf("hubtest: %w", err)
	}
	return ref.String(), nil
}

// StartServer starts a user's server ("" is the default one), waits for the
// Hub's word that it is ready, and returns its address, ending with a slash.
func (h *Hub) StartServer(ctx context.Context, user, server string) (string, error) {
	path := serverPath(user, server)
	if err := h.admin(ctx, http.MethodPost, path, nil, nil, http.StatusCreated, http.StatusAccepted); err != nil {
		return "", err
	}
	if err := h.followProgress(ctx, path+"/progress"); err != nil {
		return "", fmt.Errorf("hubtest: server %q of %s: %w", server, user, err)
	}
	return h.ServerURL(ctx, user, server)
}

// followProgress reads the Hub's events until one says ready or failed.
func (h *Hub) followProgress(ctx context.Context, path string) error {
	res, err := h.request(ctx, h.AdminToken, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data:")
		if !ok {
			continue
		}
		var event struct {
			Ready   bool   `json:"ready"`
			Failed  bool   `json:"failed"`
			Message string `json:"message"`
		}
		if err := json.Unmarshal([]byte(data), &event); err != nil {
			return fmt.Errorf("progress event: %w", err)
		}
		if event.Ready {
			return nil
		}
		if event.Failed {
			return errors.New(event.Message)
		}
	}
	return errors.Join(fmt.Errorf("the Hub's progress ends with neither ready nor failed (status %d)", res.StatusCode), lines.Err())
}

// StopServer stops a user's server and waits until the Hub has forgotten it.
// The Hub has no event for that, so it is asked every 100 ms.
func (h *Hub) StopServer(ctx context.Context, user, server string) error {
	if err := h.admin(ctx, http.MethodDelete, serverPath(user, server), nil, nil,
		http.StatusNoContent, http.StatusAccepted); err != nil {
		return err
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		servers, err := h.Servers(ctx, user)
		if err != nil {
			return err
		}
		if s := servers[server]; !s.Ready && s.Pending == "" {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("hubtest: stopping server %q of %s: %w", server, user, ctx.Err())
		}
	}
}
