package hubtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// Holder is a program that holds a Hub token, as those in a user's server do.
type Holder struct {
	token   string
	service string // its address
}

// Holder is who holds a Hub token.
func (h *Hub) Holder(token string) Holder { return Holder{token, h.ServiceURL} }

// At is the same one who asks a service at another address, which ends with a
// slash, instead of through the Hub's proxy.
func (p Holder) At(service string) Holder { return Holder{p.token, service} }

// Call asks the service through the Hub's proxy; the rest is as with
// [Visitor.Call].
func (p Holder) Call(ctx context.Context, method, path string, in, out any) (int, error) {
	return callService(ctx, local, http.Header{"Authorization": {"token " + p.token}}, method, p.service+path, in, out)
}

// callService is what [Visitor.Call] and [Holder.Call] say, for any client.
func callService(ctx context.Context, client *http.Client, header http.Header, method, address string, in, out any) (int, error) {
	var body io.Reader
	if in != nil {
		encoded, err := json.Marshal(in)
		if err != nil {
			return 0, fmt.Errorf("hubtest: %s %s: %w", method, address, err)
		}
		body = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return 0, fmt.Errorf("hubtest: %w", err)
	}
	req.Header = header
	res, err := client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("hubtest: %w", err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && out != nil && len(answer) > 0 {
		err = json.Unmarshal(answer, out)
	}
	return res.StatusCode, err
}
