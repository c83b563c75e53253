package githubapi

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// requestsLife is for how long the requests that wait for an owner are remembered:
// they are the App's, and each user who connects is looked for among them.
const requestsLife = 30 * time.Second

// installationRequest is a member's wish that an owner installs the App.
type installationRequest struct {
	Account   struct{ Login string } `json:"account"`
	Requester struct{ ID int64 }     `json:"requester"`
}

// requestCache remembers the App's requests, or that they could not be read.
type requestCache struct {
	mu       sync.Mutex
	requests []installationRequest
	until    time.Time
}

// requestedBy are the accounts for which a user has asked for the App, and waits
// for an owner. Only the App itself can list them, so without its key there are
// none; one that cannot be read shows nothing either, since it is not needed for
// a push.
func (c *Client) requestedBy(ctx context.Context, user int64) []string {
	if c.signer == nil || user == 0 {
		return nil
	}
	var accounts []string
	for _, request := range c.pendingRequests(ctx) {
		if request.Requester.ID == user {
			accounts = append(accounts, request.Account.Login)
		}
	}
	return accounts
}

func (c *Client) pendingRequests(ctx context.Context) []installationRequest {
	c.requests.mu.Lock()
	defer c.requests.mu.Unlock()
	if now := c.clock(); !now.Before(c.requests.until) {
		c.requests.requests = c.readRequests(ctx)
		c.requests.until = now.Add(requestsLife)
	}
	return c.requests.requests
}

func (c *Client) readRequests(ctx context.Context) []installationRequest {
	bearer, err := c.appJWT()
	if err != nil {
		return nil
	}
	q := c.appQuery("installation_requests", http.MethodGet, "app", "installation-requests")
	q.bearer = bearer
	var all []installationRequest
	_, _ = eachPage(ctx, c, q, func(page []installationRequest, _ answer) (more bool) { // what was read until an error counts
		all = append(all, page...)
		return len(page) > 0 && len(all) < maxRepositories
	})
	return all
}
