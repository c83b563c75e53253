package flow_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/hub"
)

// byProgram connects in a server, by its program.
func (w *world) byProgram(server, token string) {
	w.t.Helper()
	_, began, err := w.Start(w.ctx, program(userName, server), flow.Request{})
	require.NoError(w.t, err)
	require.True(w.t, began)
	w.approve(token)
	w.run(10 * time.Second)
}

func (w *world) other(login string, id int64) {
	w.github.account = func() (github.Account, error) { return github.Account{ID: id, Login: login}, nil }
}

func TestProgramsFlowIsForItsOwnServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hub.runs("", "joint")
	_, _, err := w.Start(w.ctx, program(userName, "joint"), flow.Request{Servers: []string{""}})
	requireCode(t, err, apierror.CodeServersNamed)
	noServer := program(userName, "")
	noServer.Server = nil
	_, _, err = w.Start(w.ctx, noServer, flow.Request{})
	requireCode(t, err, apierror.CodeServerTokenOnly)

	w.byProgram("joint", "ghu_first")
	require.Equal(t, []string{"joint"}, w.user().Connection.Servers)
	_, err = w.Credential(w.ctx, program(userName, "joint"), "")
	require.NoError(t, err)
	_, err = w.Credential(w.ctx, program(userName, ""), "")
	requireCode(t, err, apierror.CodeServerNotChosen)
	_, err = w.Credential(w.ctx, noServer, "")
	requireCode(t, err, apierror.CodeServerTokenOnly)
}

func TestProgramsConnectionIsDeliveredAfterAClickOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hub.runs("", "joint")
	w.byProgram("joint", "ghu_first")
	require.Equal(t, "joint", *w.user().Connection.Program)
	require.NoError(t, w.SignedIn(w.ctx, caller))
	require.NoError(t, w.Recheck(w.ctx, caller, 0))
	w.run(time.Hour)
	require.Empty(t, w.servers.content, "a look at the page is no confirmation")

	_, err := w.Deliver(w.ctx, caller, []string{"", "joint"}, false)
	require.NoError(t, err)
	w.settle()
	require.Nil(t, w.user().Connection.Program)
	require.Equal(t, "ghu_first", w.servers.at(""))
	require.Equal(t, "ghu_first", w.servers.at("joint"))
}

func TestProgramReplacesNoConnectionOfAnotherAccount(t *testing.T) {
	t.Parallel()
	w := connected(t)
	w.other("mona", 8)
	w.byProgram("joint", "ghu_monas")
	require.Equal(t, flow.Failed, w.state())
	require.Equal(t, "other_account_connected", w.user().Flow.Error.Code)
	require.Equal(t, []string{"ghu_monas"}, w.github.revoked)
	require.Equal(t, "Ada", w.user().Connection.Account.Login)
	require.Equal(t, "ghu_first", w.servers.at(""))
	_, err := w.Credential(w.ctx, program(userName, "joint"), "")
	requireCode(t, err, apierror.CodeServerNotChosen)
}

func TestProgramAddsItsServerToTheSameAccount(t *testing.T) {
	t.Parallel()
	t.Run("that a person connected", func(t *testing.T) {
		t.Parallel()
		w := connected(t)
		w.byProgram("second", "ghu_second")
		require.Equal(t, []string{"", "second"}, w.user().Connection.Servers)
		require.Nil(t, w.user().Connection.Program)
		require.NoError(t, w.SignedIn(w.ctx, caller))
		w.settle()
		require.Equal(t, "ghu_second", w.servers.at(""), "which had the older token")
		require.Empty(t, w.servers.at("second"))
	})
	t.Run("that a program connected, which is not confirmed by that", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.hub.runs("", "joint")
		w.byProgram("joint", "ghu_first")
		w.byProgram("second", "ghu_second")
		require.Equal(t, []string{"joint", "second"}, w.user().Connection.Servers)
		require.Equal(t, "joint", *w.user().Connection.Program)
		require.NoError(t, w.SignedIn(w.ctx, caller))
		w.settle()
		require.Empty(t, w.servers.content)
	})
	t.Run("but a server that held the token of a connection that ended gets none", func(t *testing.T) {
		t.Parallel()
		w := connected(t)
		w.hub.stopped("")
		_, err := w.Disconnect(w.ctx, caller)
		require.NoError(t, err)
		w.other("mona", 8)
		w.byProgram("joint", "ghu_monas")
		w.hub.runs("")
		require.NoError(t, w.SignedIn(w.ctx, caller))
		w.run(time.Minute)
		require.Empty(t, w.servers.at(""))
	})
}

func TestProgramTakesNothingFromABrowser(t *testing.T) {
	t.Parallel()
	refusedTo := func(t *testing.T, w *world, who flow.Caller) {
		t.Helper()
		_, err := w.Cancel(w.ctx, who)
		requireCode(t, err, apierror.CodeNotBegunHere)
		require.Equal(t, flow.Pending, w.state())
	}
	t.Run("its code", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.start()
		before := w.user().Flow.ID
		user, began, err := w.Start(w.ctx, program(userName, ""), flow.Request{})
		require.NoError(t, err)
		require.False(t, began)
		require.Equal(t, before, user.Flow.ID)
		require.False(t, user.Flow.BegunBy(program(userName, "")))
		refusedTo(t, w, program(userName, ""))
	})
	t.Run("its web flow", func(t *testing.T) {
		t.Parallel()
		w := newWebWorld(t)
		w.startWeb()
		_, began, err := w.Start(w.ctx, program(userName, ""), flow.Request{})
		require.NoError(t, err)
		require.False(t, began)
		refusedTo(t, w, program(userName, ""))
	})
	t.Run("nor from a program in another server", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		_, _, err := w.Start(w.ctx, program(userName, "joint"), flow.Request{})
		require.NoError(t, err)
		refusedTo(t, w, program(userName, ""))
		_, err = w.Cancel(w.ctx, program(userName, "joint"))
		require.NoError(t, err)
	})
	t.Run("and the connection only where it has the token", func(t *testing.T) {
		t.Parallel()
		w := connected(t)
		_, err := w.Disconnect(w.ctx, program(userName, "joint"))
		requireCode(t, err, apierror.CodeServerNotChosen)
		requireCode(t, w.Recheck(w.ctx, program(userName, "joint"), 0), apierror.CodeServerNotChosen)
		requireCode(t, w.Refused(w.ctx, program(userName, "joint"), "hash"), apierror.CodeServerNotChosen)
		_, err = w.Disconnect(w.ctx, program(userName, ""))
		require.NoError(t, err)
	})
}

// Else a person who clicks "Connect" would be shown a program's code, and their
// approval would be the program's.
func TestProgramsPendingFlowIsReplacedByABrowsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hub.runs("", "joint")
	_, _, err := w.Start(w.ctx, program(userName, "joint"), flow.Request{})
	require.NoError(t, err)
	programs := w.user().Flow
	require.False(t, programs.BegunBy(caller))
	w.start("")
	require.NotEqual(t, programs.ID, w.user().Flow.ID)
	w.approve("ghu_first")
	w.run(time.Minute)
	require.Equal(t, []string{""}, w.user().Connection.Servers)
	_, err = w.Credential(w.ctx, program(userName, "joint"), "")
	requireCode(t, err, apierror.CodeServerNotChosen)
}

func TestServersThatAreSharedAreNotChosenUnasked(t *testing.T) {
	t.Parallel()
	with := func(server string) func() (map[string][]string, error) {
		return func() (map[string][]string, error) {
			return map[string][]string{server: {"eve"}, "stopped": {"eve"}}, nil
		}
	}
	for name, c := range map[string]struct {
		shares func() (map[string][]string, error)
		runs   []string
		named  []string
		want   []string
	}{
		"one of two":                          {with("joint"), []string{"", "joint"}, nil, []string{""}},
		"the only one":                        {with("joint"), []string{"joint"}, nil, nil},
		"the default one, where none runs":    {with(""), nil, nil, nil},
		"unless it is named":                  {with("joint"), []string{"", "joint"}, []string{"joint"}, []string{"joint"}},
		"none is, as far as the Hub shows it": {func() (map[string][]string, error) { return nil, hub.ErrForbidden }, []string{""}, nil, []string{""}},
	} {
		for _, mode := range []string{"push", "pull"} {
			t.Run(name+"/"+mode, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, func(o *flow.Options) {
					if mode == "pull" {
						o.Deliverer = nil
					}
				})
				w.hub.shares = c.shares
				w.hub.runs(c.runs...)
				w.start(c.named...)
				w.approve("ghu_first")
				w.run(time.Minute)
				require.Equal(t, flow.Connected, w.state())
				require.Equal(t, c.want, w.user().Connection.Servers)
				require.False(t, w.user().Connection.AnyServer)
				require.Equal(t, mode == "push" && len(c.want) > 0, len(w.servers.content)+len(w.user().Deliveries) > 0)
			})
		}
	}
	t.Run("a Hub that is away is waited for", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.hub.runs("joint")
		w.hub.shares = func() (map[string][]string, error) { return nil, &hub.UnavailableError{Err: errors.New("down")} }
		w.start()
		w.approve("ghu_first")
		w.run(time.Minute)
		require.Equal(t, flow.Delivering, w.state())
		w.hub.shares = with("joint")
		w.run(3 * time.Minute)
		require.Equal(t, flow.Connected, w.state())
		require.Empty(t, w.servers.content)
	})
}

func TestProgramMayAskFromEachServerWhereServersCannotBeSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *flow.Options) { o.Deliverer = nil })
	w.start()
	w.approve("ghu_first")
	w.hub.refuseServers = true
	w.run(time.Minute)
	require.Equal(t, flow.Connected, w.state())
	require.True(t, w.user().Connection.AnyServer)
	_, err := w.Credential(w.ctx, program(userName, "whichever"), "")
	require.NoError(t, err)
}
