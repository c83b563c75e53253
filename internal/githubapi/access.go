package githubapi

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

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
		ID    int64  `json:"id"`
		Login string `json:"login"`
		Type  string `json:"type"`
	} `json:"account"`
	HTMLURL     string            `json:"html_url"`
	Permissions map[string]string `json:"permissions"`
	SuspendedAt *time.Time        `json:"suspended_at"`
}

// reading is what was found on the way through GitHub's lists.
type reading struct {
	installations []Installation
	repositories  []github.Repository
	// signOn are the ids of organisations that GitHub left out for want of a single
	// sign-on; refused those of accounts whose list it refused without saying why.
	signOn, refused map[int64]bool
	// requested are the accounts that the user has asked for, and that have not
	// answered.
	requested []string
}

// Access lists what a token reaches: the installations of the App that its user
// can see, and their repositories. What is missing is named as far as GitHub shows
// it. user is the id of the token's account: with the App's key, the requests that
// wait for an owner are known too.
func (c *Client) Access(ctx context.Context, token secret.String, user int64) (github.Access, error) {
	found := reading{signOn: map[int64]bool{}, refused: map[int64]bool{}}
	if err := c.userInstallations(ctx, token, &found); err != nil {
		return github.Access{}, err
	}
	if err := c.allRepositories(ctx, token, &found); err != nil {
		return github.Access{}, err
	}
	found.requested = c.requestedBy(ctx, user)
	return c.judge(found), nil
}

// judge names the state, and the page where that can be changed.
func (c *Client) judge(found reading) github.Access {
	slices.SortFunc(found.repositories, func(a, b github.Repository) int { return cmp.Compare(a.FullName, b.FullName) })
	access := github.Access{Repositories: found.repositories, Missing: c.missing(found)}
	access.State, access.Fix = c.state(found, access.Missing)
	return access
}

func (c *Client) state(found reading, missing []github.Missing) (github.AccessState, string) {
	install := c.installPage()
	live := slices.DeleteFunc(slices.Clone(found.installations), suspended)
	archived := slices.ContainsFunc(found.repositories, func(r github.Repository) bool { return r.Archived })
	switch {
	case slices.ContainsFunc(found.repositories, func(r github.Repository) bool { return r.Push }):
		return github.AccessReady, ""
	case len(missing) > 0 && (missing[0].State != github.AccessSuspended || len(live) == 0):
		return missing[0].State, missing[0].Fix
	case len(found.installations) == 0:
		return github.AccessNotInstalled, install
	case len(found.repositories) == 0:
		return github.AccessNoRepository, c.ownPage(live[0].HTMLURL, install)
	case archived:
		return github.AccessArchived, c.ownPage(live[0].HTMLURL, install)
	}
	return github.AccessReadOnly, c.ownPage(live[0].HTMLURL, install)
}

// missing are the accounts that are not in the lists, those that the user can do
// something about first.
func (c *Client) missing(found reading) []github.Missing {
	var signOn, suspendedOnes, requested, refused []github.Missing
	for _, i := range found.installations {
		page := c.ownPage(i.HTMLURL, c.installPage())
		switch account := i.Account.Login; {
		case suspended(i):
			suspendedOnes = append(suspendedOnes, github.Missing{Account: account, State: github.AccessSuspended, Fix: page})
		case found.signOn[i.Account.ID]:
			signOn = append(signOn, github.Missing{Account: account, State: github.AccessSingleSignOn, Fix: c.web.JoinPath("orgs", account, "sso").String()})
		case found.refused[i.Account.ID]:
			refused = append(refused, github.Missing{Account: account, State: github.AccessRefused, Fix: c.web.JoinPath("orgs", account, "people").String()})
		}
		delete(found.signOn, i.Account.ID)
	}
	if len(found.signOn) > 0 { // known by their ids only
		signOn = append(signOn, github.Missing{State: github.AccessSingleSignOn, Fix: c.web.JoinPath("settings", "organizations").String()})
	}
	for _, account := range found.requested {
		requested = append(requested, github.Missing{Account: account, State: github.AccessRequested,
			Fix: c.web.JoinPath("organizations", account, "settings", "installations").String()})
	}
	return slices.Concat(signOn, requested, refused, suspendedOnes)
}

func suspended(i Installation) bool { return i.SuspendedAt != nil }

// installPage is where a user chooses repositories for the App.
func (c *Client) installPage() string { return c.appURL + "/installations/new" }

// noteSignOn reads which organisations GitHub left out of an answer, or refused it
// for, for want of a single sign-on: "required; url=…", of the account that was
// asked for, or "partial-results; organizations=ID,ID".
func (found *reading) noteSignOn(a answer, asked int64) {
	kind, rest, _ := strings.Cut(a.header.Get("X-GitHub-SSO"), ";")
	switch strings.TrimSpace(kind) {
	case "required":
		found.signOn[asked] = true
	case "partial-results":
		_, ids, _ := strings.Cut(rest, "organizations=")
		for id := range strings.SplitSeq(ids, ",") {
			if number, err := strconv.ParseInt(strings.TrimSpace(id), 10, 64); err == nil {
				found.signOn[number] = true
			}
		}
	}
}

func (c *Client) userInstallations(ctx context.Context, token secret.String, found *reading) error {
	type list struct {
		Installations []Installation `json:"installations"`
	}
	q := c.rest("user_installations", http.MethodGet, "user/installations", token)
	_, err := eachPage(ctx, c, q, func(page list, a answer) (more bool) {
		found.noteSignOn(a, 0)
		found.installations = append(found.installations, page.Installations...)
		return len(page.Installations) > 0 && len(found.installations) < maxRepositories
	})
	return err
}

// eachPage reads a list page by page while seen wants more, and returns GitHub's last
// answer, which may be the one of the error.
func eachPage[P any](ctx context.Context, c *Client, q query, seen func(page P, a answer) (more bool)) (last answer, err error) {
	q.url.RawQuery = url.Values{"per_page": {perPage}}.Encode()
	for more := true; more && q.url != nil; {
		var page P
		if last, err = c.call(ctx, q, &page, http.StatusOK); err != nil {
			return last, err
		}
		more = seen(page, last)
		if q.url, err = c.next(last); err != nil {
			return last, err
		}
	}
	return last, nil
}

// allRepositories reads several installations at a time; the first error ends
// it. An organisation may refuse by a rule of its own (single sign-on, allowed
// addresses) or be gone by now; the others still count.
func (c *Client) allRepositories(ctx context.Context, token secret.String, found *reading) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		room  atomic.Int64
		lists = make([][]github.Repository, len(found.installations))
		slots = make(chan struct{}, maxParallel)
		group sync.WaitGroup
		notes sync.Mutex
	)
	room.Store(maxRepositories)
	for i, installation := range found.installations {
		if suspended(installation) {
			continue
		}
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			listed, last, err := c.repositories(ctx, token, installation, &room)
			status := statusOf(err)
			if err != nil && status != http.StatusForbidden && status != http.StatusNotFound {
				cancel(err)
				return
			}
			lists[i] = listed
			notes.Lock()
			defer notes.Unlock()
			found.noteSignOn(last, installation.Account.ID)
			found.refused[installation.Account.ID] = status == http.StatusForbidden
		})
	}
	group.Wait()
	if err := context.Cause(ctx); err != nil {
		return ofTransport(err)
	}
	all := slices.Concat(lists...)
	found.repositories = all[:min(len(all), maxRepositories)]
	return nil
}

// repositories reads one installation's, page by page, while there is room, and
// returns GitHub's last answer too. A push needs both: the user's right, and the
// App's.
func (c *Client) repositories(ctx context.Context, token secret.String, i Installation, room *atomic.Int64) (all []github.Repository, last answer, err error) {
	if room.Load() <= 0 {
		return nil, last, nil
	}
	type list struct {
		Repositories []struct {
			github.Repository
			Permissions struct {
				Push bool `json:"push"`
			} `json:"permissions"`
		} `json:"repositories"`
	}
	q := c.rest("user_installation_repositories", http.MethodGet, "user/installations/"+strconv.FormatInt(i.ID, 10)+"/repositories", token)
	last, err = eachPage(ctx, c, q, func(page list, _ answer) (more bool) {
		for _, r := range page.Repositories {
			may := r.Permissions.Push && i.Permissions["contents"] == "write"
			r.Push, r.Archived = may && !r.Archived, may && r.Archived
			all = append(all, r.Repository)
		}
		return len(page.Repositories) > 0 && room.Add(-int64(len(page.Repositories))) > 0
	})
	if err != nil {
		return nil, last, err
	}
	return all, last, nil
}
