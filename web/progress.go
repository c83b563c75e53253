package web

import (
	"slices"
	"strings"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
)

// titleKey is the text that heads a page.
func titleKey(v View) string {
	switch {
	case v.State == Pending && v.Flow != nil && v.Flow.Mode == Web:
		return "pending.web.title"
	case v.State == Approved && v.Flow != nil && v.Flow.Unconfirmed != "":
		return "unconfirmed.title"
	case ended(v):
		return "ended.title"
	case v.State == Expired && v.Flow != nil && v.Flow.Mode == Web:
		return "expired.web.title"
	case v.State == Connected && v.Connection != nil && stuck(v.Connection.Access):
		return "access.title"
	case v.State == Connected && endsSoon(v):
		return "connected.soon.title"
	}
	return string(v.State) + ".title"
}

// renewAhead is how long before its end the page asks to prolong a connection.
const renewAhead = 30 * time.Minute

// endsSoon: the person has to connect again to continue to push.
func endsSoon(v View) bool {
	return v.Connection != nil && !v.Refresh && !v.Now.Before(soonAt(v))
}

// soonAt is when a connection begins to end soon, at which the script has the page
// read again.
func soonAt(v View) time.Time { return v.Connection.ExpiresAt.Add(-renewAhead) }

// ended: there was a connection, and it is over without the person's doing here.
func ended(v View) bool {
	if v.State != Expired && v.State != Failed && v.State != Cancelled || v.Flow == nil || v.Flow.Problem == nil {
		return false
	}
	return apierror.EndsConnection(v.Flow.Problem.Code)
}

// stuck: nothing can be pushed until the person does something at GitHub.
func stuck(a AccessState) bool {
	switch a {
	case AccessNotInstalled, AccessSuspended, AccessNoRepository, AccessReadOnly,
		AccessArchived, AccessSingleSignOn, AccessRequested, AccessRefused:
		return true
	}
	return false
}

// afterwards is the text for what comes after the step at GitHub.
func afterwards(a AccessState) string {
	switch a {
	case AccessSingleSignOn:
		return "access.then.reconnect"
	case AccessRequested, AccessRefused:
		return "access.then.owner"
	}
	return "access.then"
}

// live: something is under way that changes the page without the person.
func live(v View) bool {
	switch v.State {
	case Pending, Approved, Delivering, Unavailable:
		return true
	case Connected:
		if v.Connection != nil && v.Connection.Access != AccessReady {
			return true
		}
	}
	return slices.ContainsFunc(v.Servers, func(s Server) bool {
		return s.State == ServerQueued || s.State == ServerStarting || s.State == ServerRemoving && s.Running
	})
}

// waiting: no server can get its access before the person starts one.
func waiting(servers []Server) bool {
	var wait bool
	for _, s := range servers {
		switch s.State {
		case ServerQueued, ServerStarting, ServerDelivered:
			return false
		case ServerWaiting:
			wait = true
		}
	}
	return wait
}

// ready: some server can push now.
func ready(servers []Server) bool {
	return slices.ContainsFunc(servers, func(s Server) bool {
		return s.State == ServerDelivered && s.Running
	})
}

// lasting are the servers that still hold an access that is over.
func lasting(servers []Server) []Server {
	return slices.DeleteFunc(slices.Clone(servers), func(s Server) bool { return s.State != ServerRemoving })
}

// chosen: the first page proposes the running servers, else the default one; but
// none that others may open.
func chosen(s Server, among []Server) bool {
	running := func(s Server) bool { return s.Running }
	return len(s.Shared) == 0 && (s.Running || s.Name == "" && !slices.ContainsFunc(among, running))
}

// asks: there is something to choose among the servers. The only one is meant
// where nobody else may open it.
func asks(servers []Server) bool {
	return len(servers) > 1 || len(servers) == 1 && len(servers[0].Shared) > 0
}

// lead is the one thing to do where a connection is, or is being made: its button alone
// is the page's primary one.
type lead struct {
	// Do is program, renew, fix, open, deliver, start, or empty: there is nothing to do.
	Do string
	// Server is what the last three are done to.
	Server Server
}

func leading(v View) lead {
	switch {
	case v.State == Delivering:
		return leadStart(v.Servers)
	case v.State != Connected:
		return lead{}
	case v.Connection.Program != nil:
		return lead{Do: "program"}
	case endsSoon(v):
		return lead{Do: "renew"}
	case stuck(v.Connection.Access):
		return lead{Do: "fix"}
	}
	holds := func(s Server) bool { return s.Running && (s.State == ServerDelivered || s.State == ServerAllowed) }
	for _, try := range []struct {
		do    string
		where func(s Server) bool
	}{
		{"open", func(s Server) bool { return holds(s) && s.URL != "" }},
		{"deliver", func(s Server) bool {
			return s.Running && s.State == ServerNone && !slices.ContainsFunc(v.Servers, holds)
		}},
	} {
		if i := slices.IndexFunc(v.Servers, try.where); i >= 0 {
			return lead{try.do, v.Servers[i]}
		}
	}
	return leadStart(v.Servers)
}

// leadStart leads to the first stopped server that has access when it runs.
func leadStart(servers []Server) lead {
	i := slices.IndexFunc(servers, func(s Server) bool {
		return s.CanStart && !s.Running && (s.State == ServerWaiting || s.State == ServerDelivered)
	})
	if i < 0 {
		return lead{}
	}
	return lead{"start", servers[i]}
}

// shownServer is a server with what is done to it by the page's primary button; empty:
// nothing.
type shownServer struct {
	Server
	Lead string
}

func newShownServer(v View, s Server) shownServer {
	if l := leading(v); l.Server.Name == s.Name {
		return shownServer{s, l.Do}
	}
	return shownServer{Server: s}
}

// step is one line of what happens after the approval; both are texts' keys.
type step struct{ Key, Done string }

// steps are all of them, in order.
func steps(v View) []step {
	account, servers := "steps.now", "steps.next"
	if v.State == Delivering {
		account, servers = "steps.done", setUp(v.Servers)
	}
	all := []step{{"steps.approved", "steps.done"}, {"steps.account", account}, {"steps.servers", servers}}
	if v.Chooses {
		all = append(all, step{"steps.choose", "steps.next"})
	}
	return all
}

// setUp says how far the servers are, taken together.
func setUp(servers []Server) string {
	stands := func(states ...ServerState) bool {
		return slices.ContainsFunc(servers, func(s Server) bool { return slices.Contains(states, s.State) })
	}
	switch {
	case stands(ServerQueued, ServerStarting):
		return "steps.now"
	case stands(ServerFailed):
		return "steps.stuck"
	case stands(ServerWaiting):
		return "steps.next"
	case stands(ServerDelivered):
		return "steps.done"
	}
	return "steps.now"
}

// news is what a screen reader says when the page changes: the page's title,
// what is in the way, and how each server stands.
func (t *translation) news(titleKey string, v View) (string, error) {
	title, err := t.plain(titleKey)
	if err != nil {
		return "", err
	}
	said := []string{title}
	for _, p := range []*explanation{t.problem(v.Problem), t.told(v)} {
		if p != nil {
			said = append(said, p.Message)
		}
	}
	if v.State != Delivering && v.State != Connected || v.Pull {
		return strings.Join(said, ". "), nil
	}
	for _, s := range v.Servers[:min(len(v.Servers), 5)] {
		if v.State == Delivering && s.State == ServerNone {
			continue // "has no access" is no news of one that is about to be set up
		}
		name, err := t.serverPlain(clip(s.Name, 40))
		if err != nil {
			return "", err
		}
		status, err := t.status(s)
		if err != nil {
			return "", err
		}
		said = append(said, name+": "+status)
	}
	return strings.Join(said, ". "), nil
}
