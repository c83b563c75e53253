package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

const (
	// maxBody bounds an answer, in bytes.
	maxBody = 1 << 20
	// tolerated is the difference between clocks that makes none: the Date
	// header has whole seconds, and answers take a moment.
	tolerated = 30 * time.Second
)

// Client calls one service for the holder of one Hub token, or of an identity. Safe
// for concurrent use.
type Client struct {
	base      *url.URL
	token     secret.String
	identity  Identity // nil: token is a Hub token
	transport http.RoundTripper
	clock     func() time.Time
	skew      atomic.Int64 // a [time.Duration]
}

// New returns a client for the service at base, which ends with "/". It takes a
// transport, which follows no redirects: none may take the token along.
func New(base *url.URL, token secret.String, transport http.RoundTripper, clock func() time.Time) *Client {
	return &Client{base: base, token: token, transport: transport, clock: clock}
}

// Identity gets an OIDC token by which a workload says who it is. The service accepts
// one for one request, so it is asked each time.
type Identity func(ctx context.Context) (secret.String, error)

// NewForWorkload is New for a workload, which the Hub does not know. The service lets
// it have bot tokens and nothing else.
func NewForWorkload(base *url.URL, identity Identity, transport http.RoundTripper, clock func() time.Time) *Client {
	return &Client{base: base, identity: identity, transport: transport, clock: clock}
}

// Skew is how far the service's clock is ahead of this machine's, as of its
// last answer; differences that cannot matter count as none.
func (c *Client) Skew() time.Duration { return time.Duration(c.skew.Load()) }

// Now is the time by the service's clock, by which its answers are to be read.
func (c *Client) Now() time.Time { return c.clock().Add(c.Skew()) }

// Credential is what git gets.
type Credential struct {
	Username string
	Password secret.String
	// ExpiresAt is by this machine's clock, which is the one that git reads.
	ExpiresAt time.Time
}

// Credential asks for the credential for a host, as git names it.
func (c *Client) Credential(ctx context.Context, protocol, host, path string) (Credential, error) {
	var got struct {
		Username string        `json:"username"`
		Password secret.Stored `json:"password"`
		Expiry   int64         `json:"password_expiry_utc"`
	}
	asked := map[string]string{"protocol": protocol, "host": host, "path": path}
	if err := c.call(ctx, http.MethodPost, "api/credential", asked, &got); err != nil {
		return Credential{}, err
	}
	if got.Username == "" || got.Password.Empty() || got.Expiry == 0 {
		return Credential{}, notTheService(http.StatusOK, errors.New("no credential in it"))
	}
	return Credential{got.Username, got.Password.String, time.Unix(got.Expiry, 0).Add(-c.Skew())}, nil
}

// WantsRepository reports whether the service gives credentials for one
// repository at a time, so that git has to name it. It asks as git would.
func (c *Client) WantsRepository(ctx context.Context, protocol, host string) bool {
	_, err := c.Credential(ctx, protocol, host, "")
	return Is(err, apierror.CodeRepositoryUnnamed)
}

// Refused tells the service that GitHub has refused a credential that was for
// one repository. It is no error if the service knows nothing of it.
func (c *Client) Refused(ctx context.Context, password secret.String) error {
	err := c.call(ctx, http.MethodDelete, "api/credential/"+password.Hash(), nil, nil)
	for _, code := range []string{apierror.CodeTokenUnknown, apierror.CodeNotConnected, apierror.CodeServerNotChosen, apierror.CodeNotFound} {
		if Is(err, code) {
			return nil
		}
	}
	return err
}

// Connection is what the user is connected to.
type Connection struct {
	Login            string       `json:"login"`
	ExpiresAt        time.Time    `json:"expires_at"`
	Access           string       `json:"access"`
	Repositories     []Repository `json:"repositories"`
	InstallationsURL string       `json:"installations_url,omitempty"`
	FixURL           string       `json:"fix_url,omitempty"`
	Missing          []Missing    `json:"missing,omitempty"`
	// Git is what git should call the user where they have no name there; nil: the
	// service leaves that alone.
	Git *GitIdentity `json:"git,omitempty"`
}

// Missing is an account of whose repositories the connection reaches none, though
// its user may mean them. Account may be empty.
type Missing struct {
	Account string `json:"account,omitempty"`
	Access  string `json:"access"`
	FixURL  string `json:"fix_url,omitempty"`
}

// Repository is one that the connection reaches.
type Repository struct {
	FullName string `json:"full_name"`
	Push     bool   `json:"push"`
	Archived bool   `json:"archived,omitempty"`
}

// Connection reads the connection; a [*Error] with the code not_connected says
// that there is none.
func (c *Client) Connection(ctx context.Context) (Connection, error) {
	var got Connection
	err := c.call(ctx, http.MethodGet, "api/connection", nil, &got)
	return got, err
}

// Disconnect ends the connection.
func (c *Client) Disconnect(ctx context.Context) error {
	return c.call(ctx, http.MethodDelete, "api/connection", nil, nil)
}

// call makes one request and reads its answer into out; in and out may be nil.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	answer, err := c.send(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if out == nil || answer.StatusCode == http.StatusNoContent {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxBody))
	if err != nil {
		return unreachable(err)
	}
	if err := json.Unmarshal(body, out); err != nil {
		return notTheService(answer.StatusCode, err)
	}
	return nil
}

// send makes one request; any answer but a good one is a [*Error].
func (c *Client) send(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base.String()+path, body)
	if err != nil {
		return nil, err
	}
	token, err := c.bearer(ctx)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token.Reveal())
	request.Header.Set("Content-Type", "application/json")
	answer, err := c.transport.RoundTrip(request)
	if err != nil {
		return nil, unreachable(err)
	}
	c.readClock(answer)
	if answer.StatusCode >= 200 && answer.StatusCode < 300 {
		return answer, nil
	}
	defer answer.Body.Close()
	refusal := ofAnswer(answer)
	if c.identity == nil {
		refusal.forServers()
	}
	return nil, refusal
}

func (c *Client) bearer(ctx context.Context) (secret.String, error) {
	if c.identity == nil {
		return c.token, nil
	}
	return c.identity(ctx)
}

func (c *Client) readClock(answer *http.Response) {
	date, err := http.ParseTime(answer.Header.Get("Date"))
	if err != nil {
		return
	}
	skew := date.Sub(c.clock())
	if skew.Abs() <= tolerated {
		skew = 0
	}
	c.skew.Store(int64(skew.Round(time.Second)))
}
