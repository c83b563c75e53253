package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
)

const (
	// rejoin is how long to wait before an event stream that ended is opened again.
	rejoin = time.Second
	// askEvery is how often to ask where too many streams are open already.
	askEvery = 5 * time.Second
)

// Flow is one attempt to connect.
type Flow struct {
	ID              string    `json:"id"`
	Mode            string    `json:"mode"`
	State           string    `json:"state"`
	UserCode        string    `json:"user_code"`
	VerificationURI string    `json:"verification_uri"`
	ExpiresAt       time.Time `json:"expires_at"`
	Error           *Error    `json:"error"`
}

// Pending: the user has yet to approve.
func (f Flow) Pending() bool { return f.State == "pending" }

// Granted: the connection stands. Whether it was delivered into servers too is
// of no interest to somebody who can ask for the credential.
func (f Flow) Granted() bool { return f.State == "connected" || f.State == "delivering" }

// Over: the flow has ended without a connection.
func (f Flow) Over() bool {
	switch f.State {
	case "expired", "denied", "cancelled", "failed":
		return true
	}
	return false
}

// StartFlow starts a flow or joins the one that is pending; created tells
// which.
func (c *Client) StartFlow(ctx context.Context) (flow Flow, created bool, err error) {
	answer, err := c.send(ctx, http.MethodPost, "api/flows", map[string]any{})
	if err != nil {
		return Flow{}, false, err
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(http.MaxBytesReader(nil, answer.Body, maxBody)).Decode(&flow); err != nil {
		return Flow{}, false, notTheService(answer.StatusCode, err)
	}
	return flow, answer.StatusCode == http.StatusCreated, nil
}

// Flow reads the flow; a [*Error] with the code no_flow says that there is none.
func (c *Client) Flow(ctx context.Context) (Flow, error) {
	var flow Flow
	err := c.call(ctx, http.MethodGet, "api/flows/current", nil, &flow)
	return flow, err
}

// CancelFlow ends the flow under way.
func (c *Client) CancelFlow(ctx context.Context) error {
	return c.call(ctx, http.MethodDelete, "api/flows/current", nil, nil)
}

// WatchFlow calls seen with the flow as it is, and at each change, until seen
// returns true or ctx ends. A stream that breaks off, as when the service is
// restarted, is opened again. Where too many are open, the flow is asked for
// every few seconds. An answer that trying again cannot fix is returned.
func (c *Client) WatchFlow(ctx context.Context, seen func(Flow) (enough bool)) error {
	for {
		wait := rejoin
		enough, err := c.watchOnce(ctx, seen)
		var refused *Error
		switch {
		case enough:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &refused) && refused.Status == http.StatusTooManyRequests:
			// Too many follow the flow; it can still be asked for.
			if flow, err := c.Flow(ctx); err == nil && seen(flow) {
				return nil
			}
			wait = askEvery
		case errors.As(err, &refused) && refused.Status >= 400 && refused.Status < 500:
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// watchOnce reads one event stream (HTML, 9.2) to its end.
func (c *Client) watchOnce(ctx context.Context, seen func(Flow) bool) (enough bool, err error) {
	answer, err := c.send(ctx, http.MethodGet, "api/flows/current/events", nil)
	if err != nil {
		return false, err
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, maxBody)
	for lines.Scan() {
		data, found := strings.CutPrefix(lines.Text(), "data:")
		if !found {
			continue
		}
		var flow Flow
		if err := json.Unmarshal([]byte(data), &flow); err != nil {
			return false, notTheService(answer.StatusCode, err)
		}
		if seen(flow) {
			return true, nil
		}
	}
	return false, lines.Err()
}
