package githubapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// maxBody bounds what is read of an answer, in bytes.
const maxBody = 1 << 20

// query is one call.
type query struct {
	target
	method string
	url    *url.URL
	form   url.Values // sent form-encoded
	json   any        // sent as JSON
	bearer secret.String
	basic  bool // the App's client id and secret
	// stream reads the body of a good answer as it comes, instead of all of it at once;
	// limit bounds that, in bytes.
	stream func(io.Reader) error
	limit  int64
	// timeout, where it is set, is instead of the usual one.
	timeout time.Duration
}

// rest is a call of the REST API with somebody's token.
func (c *Client) rest(endpoint, method, path string, token secret.String) query {
	return query{target: target{endpoint, tokenGate(token)}, method: method, url: c.api.JoinPath(path), bearer: token}
}

func tokenGate(token secret.String) string { return "token:" + token.Hash() }

// answer is what came back, whole and bounded.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// send makes a call and reads what comes back. Its errors are those of the way
// there; what a status means is for the caller to say, except for 5xx.
func (c *Client) send(ctx context.Context, q query) (answer, error) {
	req, err := c.request(ctx, q)
	if err != nil {
		return answer{}, refused(err)
	}
	caller := *c.http
	if q.timeout > 0 {
		caller.Timeout = q.timeout
	}
	resp, err := caller.Do(req)
	if err != nil {
		return answer{}, ofTransport(err)
	}
	defer resp.Body.Close()
	if q.stream != nil && resp.StatusCode < 300 {
		return answer{status: resp.StatusCode, header: resp.Header}, q.stream(io.LimitReader(resp.Body, q.limit))
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return answer{}, unreachable(err)
	}
	if len(body) > maxBody {
		return answer{}, badAnswer(fmt.Errorf("%s: more than %d bytes", q.endpoint, maxBody))
	}
	a := answer{resp.StatusCode, resp.Header, body}
	if a.status >= 500 {
		return answer{}, ofStatus(statusError{status: a.status})
	}
	return a, nil
}

func (c *Client) request(ctx context.Context, q query) (*http.Request, error) {
	var body io.Reader
	var kind string
	switch {
	case q.form != nil:
		body, kind = strings.NewReader(q.form.Encode()), "application/x-www-form-urlencoded"
	case q.json != nil:
		encoded, err := json.Marshal(q.json)
		if err != nil {
			return nil, err
		}
		body, kind = bytes.NewReader(encoded), "application/json"
	}
	req, err := http.NewRequestWithContext(withTarget(ctx, q.target), q.method, q.url.String(), body)
	if err != nil {
		return nil, err
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if q.basic {
		req.SetBasicAuth(c.clientID, c.secret.Reveal())
	} else if !q.bearer.Empty() {
		req.Header.Set("Authorization", "Bearer "+q.bearer.Reveal())
	}
	return req, nil
}

// ofTransport keeps the transport's own errors and calls all others a GitHub
// that cannot be reached.
func ofTransport(err error) error {
	var own *apierror.Error
	if errors.As(err, &own) {
		return own
	}
	return unreachable(err)
}

// call makes a call that must be answered with one of the statuses in want, and
// reads its JSON into into, which may be nil.
func (c *Client) call(ctx context.Context, q query, into any, want ...int) (answer, error) {
	a, err := c.send(ctx, q)
	if err != nil {
		return answer{}, err
	}
	if !slices.Contains(want, a.status) {
		return a, ofStatus(a.refusal())
	}
	if into == nil {
		return a, nil
	}
	return a, a.decode(into)
}

// refusal is the answer as an error, with the message that GitHub's REST API gives.
func (a answer) refusal() statusError {
	var body struct {
		Message string `json:"message"`
	}
	_ = a.decode(&body) // a page has none
	return statusError{a.status, body.Message}
}

// decode reads a JSON body, and nothing that only looks like one.
func (a answer) decode(into any) error {
	kind, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil || (kind != "application/json" && !strings.HasSuffix(kind, "+json")) {
		return badAnswer(fmt.Errorf("a body of the type %.60q instead of JSON", a.header.Get("Content-Type")))
	}
	if err := json.Unmarshal(a.body, into); err != nil {
		return badAnswer(errors.New("a body that is no proper JSON"))
	}
	return nil
}

// next is the address of the next page (RFC 8288), or nil. It is followed only
// within the API: the token goes along.
func (c *Client) next(a answer) (*url.URL, error) {
	for link := range strings.SplitSeq(a.header.Get("Link"), ",") {
		address, rest, found := strings.Cut(strings.TrimSpace(link), ">")
		if !found || !strings.HasPrefix(address, "<") || !strings.Contains(rest, `rel="next"`) {
			continue
		}
		next, err := url.Parse(address[1:])
		if err != nil || next.Scheme != c.api.Scheme || next.Host != c.api.Host {
			return nil, badAnswer(errors.New("a next page outside the API"))
		}
		return next, nil
	}
	return nil, nil
}
