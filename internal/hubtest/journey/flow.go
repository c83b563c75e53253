package journey

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Flow is what the service's API tells of a flow, as far as tests look at it.
type Flow struct {
	State    string `json:"state"`
	UserCode string `json:"user_code"`
	Error    struct {
		Code string `json:"code"`
	} `json:"error"`
}

// Connection is what it tells of a connection.
type Connection struct {
	Access     string     `json:"access"`
	Deliveries []Delivery `json:"deliveries"`
}

// Delivery is the credential's standing in one server.
type Delivery struct {
	Server string `json:"server"`
	State  string `json:"state"`
}

// Caller asks the service as somebody: a [hubtest.Visitor] or a
// [hubtest.Holder].
type Caller interface {
	Call(ctx context.Context, method, path string, in, out any) (status int, err error)
}

// ConnectByAPI begins a flow, has its code approved at GitHub, and returns when the
// service says that who is connected.
func ConnectByAPI(ctx context.Context, who Caller, approve func(code string) error) error {
	flow, err := Begin(ctx, who)
	if err != nil {
		return err
	}
	if err := approve(flow.UserCode); err != nil {
		return err
	}
	return Until(ctx, who, "connected")
}

// Begin begins a flow.
func Begin(ctx context.Context, who Caller) (flow Flow, err error) {
	status, err := who.Call(ctx, http.MethodPost, "api/flows", nil, &flow)
	if err == nil && status != http.StatusCreated {
		err = fmt.Errorf("beginning a flow: status %d %s", status, flow.Error.Code)
	}
	return flow, err
}

// Current is the flow as it is; the zero one where there is none.
func Current(ctx context.Context, who Caller) (flow Flow, err error) {
	_, err = who.Call(ctx, http.MethodGet, "api/flows/current", nil, &flow)
	return flow, err
}

// look is how often the state of a flow is asked for.
const look = 20 * time.Millisecond

// Until returns when the flow is in a state. The error says where it has ended
// otherwise, or what it still is when ctx ends.
func Until(ctx context.Context, who Caller, state string) error {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		flow, err := Current(ctx, who)
		switch {
		case err == nil && flow.State == state:
			return nil
		case slices.Contains([]string{"expired", "denied", "cancelled", "failed"}, flow.State):
			return fmt.Errorf("the flow should be %s, and has ended %s %s", state, flow.State, flow.Error.Code)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the flow should be %s, and is %q (%v): %w", state, flow.State, err, ctx.Err())
		}
	}
}
