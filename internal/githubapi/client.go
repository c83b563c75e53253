package githubapi

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"

	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// timeout ends a call whose context has no earlier deadline. It covers the
// whole answer, so a body that comes one byte a second ends too.
const timeout = 15 * time.Second

// Options are what a [Client] is made of. Web, API, ClientID, HTTP and Clock
// are needed.
type Options struct {
	// Web is the address a browser and git use; API that of the REST API, see
	// [webaddr.GitHubAPI].
	Web, API *url.URL
	ClientID string
	// ClientSecret enables the web flow and lets tokens be revoked one at a
	// time without GitHub writing to their owner.
	ClientSecret secret.String
	// AppURL is the App's public page, https://github.com/apps/SLUG.
	AppURL string
	// Signer has the App's private key; nil: no installation tokens.
	Signer Signer
	HTTP   *http.Client
	Clock  func() time.Time
	// Metrics is told of each call; nil: nobody counts.
	Metrics Metrics
	// Limits are shared with other processes; nil: there are none.
	Limits Limits
}

// Client calls one GitHub on behalf of one App. Safe for concurrent use.
type Client struct {
	web, api *url.URL
	clientID string
	secret   secret.String
	appURL   string
	http     *http.Client
	clock    func() time.Time
	gate     *gate
	metrics  Metrics
	// skew is how far GitHub's clock is ahead of ours, in nanoseconds.
	skew          *atomic.Int64
	oauth         oauth2.Config
	signer        Signer
	installations *installationCache
	requests      *requestCache
}

// New returns a client. It makes no call and reads no file.
func New(o Options) (*Client, error) {
	if o.Web == nil || o.API == nil || o.ClientID == "" || o.HTTP == nil || o.Clock == nil {
		return nil, errors.New("github: an option is missing")
	}
	if o.Metrics == nil {
		o.Metrics = unmeasured{}
	}
	c := &Client{
		web: o.Web, api: o.API, clientID: o.ClientID, secret: o.ClientSecret,
		appURL: strings.TrimSuffix(o.AppURL, "/"),
		clock:  o.Clock, gate: newGate(o.Clock, o.Limits), metrics: o.Metrics,
		skew:          new(atomic.Int64),
		signer:        o.Signer,
		installations: newInstallationCache(o.Clock),
		requests:      new(requestCache),
	}
	c.oauth = oauth2.Config{
		ClientID: o.ClientID, ClientSecret: o.ClientSecret.Reveal(),
		Endpoint: oauth2.Endpoint{
			AuthURL:   o.Web.JoinPath("login/oauth/authorize").String(),
			TokenURL:  o.Web.JoinPath("login/oauth/access_token").String(),
			AuthStyle: oauth2.AuthStyleInParams, // probing would send a code twice
		},
	}
	c.http = c.guarded(o.HTTP)
	return c, nil
}

// guarded is a copy of the given client that goes through [transport] and never
// follows a redirect, since it would take a token along.
func (c *Client) guarded(base *http.Client) *http.Client {
	guarded := *base
	next := guarded.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	guarded.Transport = &transport{next: next, clock: c.clock, gate: c.gate, metrics: c.metrics, skew: c.skew}
	guarded.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	guarded.Jar = nil
	if guarded.Timeout == 0 || guarded.Timeout > timeout {
		guarded.Timeout = timeout
	}
	return &guarded
}

// githubNow is the time at GitHub.
func (c *Client) githubNow() time.Time { return c.clock().Add(c.offset()) }

// offset is how far GitHub's clock is ahead. A difference that the margins of
// the protocols cover anyway counts as none: the Date header has whole seconds.
func (c *Client) offset() time.Duration {
	skew := time.Duration(c.skew.Load())
	if skew.Abs() <= 30*time.Second {
		return 0
	}
	return skew
}
