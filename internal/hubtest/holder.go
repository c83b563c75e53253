package hubtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Holder is a program that holds a Hub token, as those in a user's server do.
type Holder struct {
	token   string
	service string // its address
}

// Holder is a program that holds a Hub token.
func (h *Hub) Holder(token string) Holder { return Holder{token, h.ServiceURL} }

// At is the same program, which asks a service at another address, which ends
// with a slash, instead of through the Hub's proxy.
func (p Holder) At(service string) Holder { return Holder{p.token, service} }

// Call asks the service; the rest is as with [Visitor.Call].
func (p Holder) Call(ctx context.Context, method, path string, in, out any) (int, error) {
	return callService(ctx, local, http.Header{"Authorization": {"token " + p.token}}, method, p.service+path, in, out)
}

// callService is what [Visitor.Call] and [Holder.Call] say, for any client.
func callService(ctx context.Context, client *http.Client, header http.Header, method, address string, in, out any) (int, error) {
	body, err := encode(in)
	if err != nil {
		return 0, fmt.Errorf("hubtest: %s %s: %w", method, address, err)
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
	if err == nil {
		err = decode(answer, out)
	}
	return res.StatusCode, err
}

// encode is the body of a request: a text as it is, all else as JSON.
func encode(in any) (io.Reader, error) {
	if in == nil {
		return nil, nil
	}
	if text, ok := in.(string); ok {
		return strings.NewReader(text), nil
	}
	encoded, err := json.Marshal(in)
	return bytes.NewReader(encoded), err
}

// decode is the other way round.
func decode(answer []byte, out any) error {
	if text, ok := out.(*string); ok {
		*text = string(answer)
		return nil
	}
	if out == nil || len(answer) == 0 {
		return nil
	}
	return json.Unmarshal(answer, out)
}
