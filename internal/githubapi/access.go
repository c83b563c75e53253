package githubapi

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

const (
	// maxRepositories bounds how many repositories are read of one account;
	// the rest are not listed, though the token reaches them.
	maxRepositories = 2000
	// maxParallel bounds the calls made at once for one account.
	maxParallel = 4
	perPage     = "100"
)

// Installation is the App on one account.
type Installation struct {
	ID      int64 `json:"id"`
	Account struct {
		Login string `json:"login"`
	} `json:"account"`
	HTMLURL     string            `json:"html_url"`
	Permissions map[string]string `json:"permissions"`
	SuspendedAt *time.Time        `json:"suspended_at"`
}

// Access lists what a token reaches: the installations of the App that its user
// can see, and their repositories. GitHub leaves out what an organisation's
// SAML hides, so that looks like no repository.
func (c *Client) Access(ctx context.Context, token secret.String) (github.Access, error) {
	installations, err := c.userInstallations(ctx, token)
	if err != nil {
		return github.Access{}, err
	}
	live := slices.DeleteFunc(slices.Clone(installations), func(i Installation) bool { return i.SuspendedAt != nil })
	repositories, err := c.allRepositories(ctx, token, live)
	if err != nil {
		return github.Access{}, err
	}
	return c.judge(installations, live, repositories), nil
}

// judge names the state, and the page where the user can change it.
func (c *Client) judge(all, live []Installation, repositories []github.Repository) github.Access {
	install := c.appURL + "/installations/new"
	switch {
	case len(all) == 0:
		return github.Access{State: github.AccessNotInstalled, Fix: install}
	case len(live) == 0:
		return github.Access{State: github.AccessSuspended, Fix: c.ownPage(all[0].HTMLURL, install)}
	case len(repositories) == 0:
		return github.Access{State: github.AccessNoRepository, Fix: c.ownPage(live[0].HTMLURL, install)}
	}
	slices.SortFunc(repositories, func(a, b github.Repository) int { return cmp.Compare(a.FullName, b.FullName) })
	access := github.Access{State: github.AccessReady, Repositories: repositories}
	if !slices.ContainsFunc(repositories, func(r github.Repository) bool { return r.Push }) {
		access.State, access.Fix = github.AccessReadOnly, c.ownPage(live[0].HTMLURL, install)
	}
	return access
}

func (c *Client) userInstallations(ctx context.Context, token secret.String) ([]Installation, error) {
	q := c.rest("user_installations", http.MethodGet, "user/installations", token)
	q.url.RawQuery = url.Values{"per_page": {perPage}}.Encode()
	var all []Installation
	for q.url != nil && len(all) < maxRepositories {
		var page struct {
			Installations []Installation `json:"installations"`
		}
		a, err := c.call(ctx, q, &page, http.StatusOK)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Installations...)
		if q.url, err = c.next(a); err != nil || len(page.Installations) == 0 {
			return all, err
		}
	}
	return all, nil
}

// allRepositories reads several installations at a time; the first error ends
// it.
func (c *Client) allRepositories(ctx context.Context, token secret.String, installations []Installation) ([]github.Repository, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		room  atomic.Int64
		found = make([][]github.Repository, len(installations))
		slots = make(chan struct{}, maxParallel)
		group sync.WaitGroup
	)
	room.Store(maxRepositories)
	for i, installation := range installations {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			var err error
			found[i], err = c.repositories(ctx, token, installation, &room)
			// An organisation may refuse by a rule of its own (SAML, allowed
			// addresses) or be gone by now; the others still count.
			if s := statusOf(err); err != nil && (apierror.IsRetryable(err) || (s != http.StatusForbidden && s != http.StatusNotFound)) {
				cancel(err)
			}
		})
	}
	group.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, ofTransport(err)
	}
	all := slices.Concat(found...)
	return all[:min(len(all), maxRepositories)], nil
}

// repositories reads one installation's, page by page, while there is room. A
// push needs both: the user's right, and the App's.
func (c *Client) repositories(ctx context.Context, token secret.String, i Installation, room *atomic.Int64) ([]github.Repository, error) {
	q := c.rest("user_installation_repositories", http.MethodGet, "user/installations/"+strconv.FormatInt(i.ID, 10)+"/repositories", token)
	q.url.RawQuery = url.Values{"per_page": {perPage}}.Encode()
	var all []github.Repository
	for q.url != nil && room.Load() > 0 {
		var page struct {
			Repositories []struct {
				github.Repository
				Archived    bool `json:"archived"`
				Permissions struct {
					Push bool `json:"push"`
				} `json:"permissions"`
			} `json:"repositories"`
		}
		a, err := c.call(ctx, q, &page, http.StatusOK)
		if err != nil {
			return nil, err
		}
		for _, r := range page.Repositories {
			r.Push = r.Permissions.Push && !r.Archived && i.Permissions["contents"] == "write"
			all = append(all, r.Repository)
		}
		room.Add(-int64(len(page.Repositories)))
		if q.url, err = c.next(a); err != nil || len(page.Repositories) == 0 {
			return all, err
		}
	}
	return all, nil
}
