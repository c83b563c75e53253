package hubapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

const (
	// maxBody bounds what is read of an answer, in bytes.
	maxBody = 1 << 20
	// callLimit bounds one call of the REST API.
	callLimit = 10 * time.Second
)

// Client calls one Hub. Safe for concurrent use.
type Client struct {
	api    *url.URL
	proxy  *url.URL
	public *url.URL
	http   *http.Client
}

// New returns a client for the REST API at api (JUPYTERHUB_API_URL) and for
// users' servers behind proxy. public is the Hub's origin as browsers see it,
// below which users' own hosts are; nil: not known, then there are none.
// Redirects of httpClient are switched off: none may be followed with a token.
// called, if not nil, measures each call.
func New(api, proxy, public *url.URL, httpClient *http.Client, called Called) *Client {
	measuring := withoutRedirects(httpClient)
	measuring.Transport = newMeasured(httpClient.Transport, api, called)
	return &Client{api: api, proxy: proxy, public: public, http: measuring}
}

func withoutRedirects(httpClient *http.Client) *http.Client {
	c := *httpClient
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// Whoami says whose token this is.
func (c *Client) Whoami(ctx context.Context, token secret.String) (hub.User, error) {
	var user hub.User
	err := c.call(ctx, http.MethodGet, c.api.JoinPath("user"), token, &user)
	return user, err
}

// Servers lists a user's servers, the default one and those that are stopped
// included. Needs the scope read:servers for that user.
func (c *Client) Servers(ctx context.Context, token secret.String, user string) ([]hub.Server, error) {
	target := c.api.JoinPath("users", url.PathEscape(user))
	target.RawQuery = "include_stopped_servers=1"
	var answer struct {
		Servers map[string]hub.Server `json:"servers"`
	}
	if err := c.call(ctx, http.MethodGet, target, token, &answer); err != nil {
		return nil, err
	}
	servers := make([]hub.Server, 0, len(answer.Servers))
	for name, server := range answer.Servers {
		server.Name = name
		servers = append(servers, server)
	}
	return servers, nil
}

// StartServer asks the Hub to start a server and does not wait for it. Needs
// the scope servers for that user. A server that runs already is no error.
func (c *Client) StartServer(ctx context.Context, token secret.String, user, server string) error {
	target := c.api.JoinPath("users", url.PathEscape(user), "server")
	if server != "" {
		target = c.api.JoinPath("users", url.PathEscape(user), "servers", url.PathEscape(server))
	}
	err := c.call(ctx, http.MethodPost, target, token, nil)
	var status *statusError
	if errors.As(err, &status) && status.code == http.StatusBadRequest {
		return nil // it runs already, or is on its way
	}
	return err
}

type statusError struct{ code int }

func (e *statusError) Error() string { return "status " + strconv.Itoa(e.code) }

func (c *Client) call(ctx context.Context, method string, target *url.URL, token secret.String, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	return exchange(ctx, c.http, method, hub.Address{URL: target}, token, nil, answer)
}

// exchange sends one request, with a JSON body unless that is nil, and reads
// the JSON answer unless none is wanted.
func exchange(ctx context.Context, httpClient *http.Client, method string, target hub.Address, token secret.String, body io.Reader, answer any) error {
	path := target.URL.Path
	request, err := http.NewRequestWithContext(ctx, method, target.URL.String(), body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if target.Host != "" {
		request.Host = target.Host
	}
	request.Header.Set("Authorization", "token "+token.Reveal())
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := httpClient.Do(request)
	if err != nil {
		return &hub.UnavailableError{Err: err}
	}
	defer response.Body.Close()
	if err := checkStatus(response); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if answer == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxBody)).Decode(answer); err != nil {
		return &hub.UnavailableError{Err: fmt.Errorf("%s %s: %w", method, path, err)}
	}
	return nil
}

func checkStatus(response *http.Response) error {
	status := &statusError{response.StatusCode}
	switch code := response.StatusCode; {
	case code < 300:
		return nil
	case code == http.StatusBadRequest:
		return fmt.Errorf("%w (%w)", hub.ErrBadRequest, status)
	case code == http.StatusUnauthorized:
		return fmt.Errorf("%w (%w)", hub.ErrUnauthorized, status)
	case code == http.StatusForbidden, code == http.StatusNotFound:
		return fmt.Errorf("%w (%w)", hub.ErrForbidden, status)
	case code == http.StatusTooManyRequests, code >= 500:
		return &hub.UnavailableError{RetryAfter: retryAfter(response.Header), Err: status}
	case code < 400:
		return &hub.UnavailableError{Err: fmt.Errorf("unexpected redirect: %w", status)}
	}
	return status
}

// retryAfter reads the header's seconds, an hour at most; the HTTP-date form is
// not used by the Hub and counts as none.
func retryAfter(header http.Header) time.Duration {
	const longest = int(time.Hour / time.Second)
	seconds, err := strconv.Atoi(header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(min(seconds, longest)) * time.Second
}
