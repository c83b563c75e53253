package server

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/hubauth"
	"github.com/ghscoped/ghscoped-service/web"
)

const (
	// recheckAge is how old a page's list of repositories may be before a look
	// at the page asks for a new one.
	recheckAge = 30 * time.Second
	// staleAfter is how long after its code's end, or its own, a flow that led to
	// nothing any more is still shown.
	staleAfter = time.Hour
	// serversLimit bounds the wait for the Hub's list of servers: the page comes
	// without it rather than late.
	serversLimit = 3 * time.Second
)

// view is what a user's page shows. It holds no token.
func (s *Server) view(ctx context.Context, session hubauth.Session) (web.View, error) {
	user, err := s.flows.Of(ctx, of(session).forFlow())
	if err != nil {
		return web.View{}, err
	}
	view := web.View{User: user.Name, Now: s.clock(), State: web.None, Pull: s.pull, Refresh: s.refresh, WebFlow: s.webFlow}
	view.Admin = s.isAdmin(session.Holder)
	view.Chooses, view.Confirms = !user.Chose, len(user.Confirmed) == 0
	switch f := user.Flow; {
	case f == nil || s.stale(user):
	case f.State == flow.Pending && f.Program != nil:
		view.Asking = f.Program
	default:
		view.State, view.Flow = web.State(f.State), flowView(f)
	}
	if user.Connection != nil {
		view.Connection = s.connectionView(user.Connection)
		view.Refresh = view.Refresh && user.Connection.RefreshError == nil
		if view.State == web.None {
			view.State = web.Connected
		}
	}
	view.Servers, view.Problem = s.servers(ctx, session, user)
	return view, nil
}

func (s *Server) unavailableView(user string, cause *apierror.Error) web.View {
	return web.View{User: user, Now: s.clock(), State: web.Unavailable, Problem: problem(cause)}
}

// stale: how a flow ended is of no interest for long.
func (s *Server) stale(user *flow.User) bool {
	since := user.Flow.ExpiresAt
	if user.Flow.EndedAt.After(since) {
		since = user.Flow.EndedAt
	}
	return user.Flow.State.Final() && user.Connection == nil && s.clock().Sub(since) > staleAfter
}

func flowView(f *flow.Flow) *web.Flow {
	view := &web.Flow{
		Mode: web.Mode(f.Mode), StartedAt: f.StartedAt, UserCode: f.UserCode, VerificationURI: f.VerificationURI,
		ExpiresAt: f.ExpiresAt, Interval: f.Interval, Problem: problem(f.Error),
	}
	if f.Account != nil {
		view.Unconfirmed = f.Account.Login
	}
	return view
}

func (s *Server) connectionView(c *flow.Connection) *web.Connection {
	view := &web.Connection{
		Login: c.Account.Login, Since: c.Since, ExpiresAt: c.Token.ExpiresAt,
		Access: web.AccessState(c.Access.State), FixURL: c.Access.Fix, AddURL: s.installURL(), Program: c.Program,
	}
	if author := s.author(c); author != nil {
		view.Author = author.Name + " <" + author.Email + ">"
	}
	for _, repository := range c.Access.Repositories {
		view.Repositories = append(view.Repositories, web.Repository{FullName: repository.FullName, Push: repository.Push, Archived: repository.Archived})
	}
	for _, m := range c.Access.Missing {
		view.Missing = append(view.Missing, web.Missing{Account: m.Account, Access: web.AccessState(m.State), FixURL: m.Fix})
	}
	return view
}

// author is what git should call the person where they have no name there; nil where
// the deployer leaves that alone, or GitHub does not say enough.
func (s *Server) author(c *flow.Connection) *gitIdentityAnswer {
	if !s.gitIdentity {
		return nil
	}
	name, email := c.Account.Author(s.gitHubURL.Hostname())
	if name == "" || email == "" {
		return nil
	}
	return &gitIdentityAnswer{name, email}
}

// installURL is GitHub's page where a person chooses repositories for the App.
func (s *Server) installURL() string {
	if s.appURL == nil {
		return ""
	}
	return s.appURL.JoinPath("installations", "new").String()
}

// servers joins what the Hub lists with where the credential is, or may be asked
// for.
func (s *Server) servers(ctx context.Context, session hubauth.Session, user *flow.User) ([]web.Server, *web.Problem) {
	ctx, cancel := context.WithTimeout(ctx, serversLimit)
	defer cancel()
	listed, err := s.hub.Servers(ctx, session.HubToken.String, session.User)
	if s.pull && errors.Is(err, hub.ErrForbidden) {
		return nil, nil // not needed there: then each of the user's servers may ask
	}
	var trouble *web.Problem
	if err != nil {
		trouble = problem(asError(err))
	}
	views := map[string]web.Server{"": {State: web.ServerNone, CanStart: s.canStart && !s.pull}}
	for _, server := range listed {
		views[server.Name] = s.serverView(server)
	}
	if s.pull {
		mark(views, user.Connection)
	} else {
		join(views, user.Deliveries)
	}
	for name, shared := range s.shares(ctx, session) {
		if view, known := views[name]; known {
			view.Shared = shared
			views[name] = view
		}
	}
	sorted := make([]web.Server, 0, len(views))
	for _, view := range views {
		sorted = append(sorted, view)
	}
	slices.SortFunc(sorted, func(a, b web.Server) int { return strings.Compare(a.Name, b.Name) })
	return sorted, trouble
}

// join shows where the credential is.
func join(views map[string]web.Server, deliveries []flow.Delivery) {
	for _, d := range deliveries {
		view := views[d.Server]
		view.Name, view.State, view.Method = d.Server, web.ServerState(d.State), d.Method
		view.Problem, view.Progress = problem(d.Error), d.Progress
		views[d.Server] = view
	}
}

// mark shows which servers may ask for the credential.
func mark(views map[string]web.Server, c *flow.Connection) {
	if c == nil {
		return
	}
	for name, view := range views {
		if view.CanAllow = !c.AnyServer; c.AnyServer {
			view.State = web.ServerAllowed
		}
		views[name] = view
	}
	for _, name := range c.Servers {
		view := views[name]
		view.Name, view.State = name, web.ServerAllowed
		views[name] = view
	}
}

// shares names who else may open the user's servers, as far as the Hub lets us
// see it.
func (s *Server) shares(ctx context.Context, session hubauth.Session) map[string][]string {
	if !session.Holder.MayReadShares() {
		return nil
	}
	shares, err := s.hub.Shares(ctx, session.HubToken.String, session.User)
	if err != nil {
		s.logger.Warn("the Hub did not say with whom servers are shared", "user", session.User, "error", err)
	}
	return shares
}

func (s *Server) serverView(server hub.Server) web.Server {
	return web.Server{
		Name: server.Name, State: web.ServerNone, Running: server.Ready, URL: server.URL,
		CanStart: s.canStart && !s.pull && !server.Ready && server.Pending == "",
	}
}

func problem(e *apierror.Error) *web.Problem {
	if e == nil {
		return nil
	}
	return &web.Problem{Code: e.Code, Message: e.Message, Hint: e.Hint}
}
