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
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// later is when the Hub made somebody else of the same name.
const later = "2026-11-02T08:59:00Z"

// newcomer has the Hub give the name to somebody else, and is that person: in a
// browser, and in a server.
func newcomer(w *world) (browsing, programming flow.Caller) {
	browsing, programming = browser(userName, "newcomers-token"), program(userName, "")
	browsing.Created, programming.Created = later, later
	programming.HubToken = secret.New("newcomers-server")
	w.hub.created = later
	w.hub.tokens = map[string]bool{"newcomers-token": true, "newcomers-server": true}
	return browsing, programming
}

// calls are all that a caller may ask of the engine.
func calls(w *world) map[string]func(flow.Caller) error {
	state := "none"
	return map[string]func(flow.Caller) error{
		"Of":          func(c flow.Caller) error { _, err := w.Of(w.ctx, c); return err },
		"Start":       func(c flow.Caller) error { _, _, err := w.Start(w.ctx, c, flow.Request{}); return err },
		"StartWeb":    func(c flow.Caller) error { _, _, err := w.StartWeb(w.ctx, c, flow.Request{}); return err },
		"CompleteWeb": func(c flow.Caller) error { _, err := w.CompleteWeb(w.ctx, c, state, "code"); return err },
		"FailWeb":     func(c flow.Caller) error { _, err := w.FailWeb(w.ctx, c, state, "access_denied"); return err },
		"Cancel":      func(c flow.Caller) error { _, err := w.Cancel(w.ctx, c); return err },
		"Disconnect":  func(c flow.Caller) error { _, err := w.Disconnect(w.ctx, c); return err },
		"Deliver":     func(c flow.Caller) error { _, err := w.Deliver(w.ctx, c, []string{""}, false); return err },
		"SignedIn":    func(c flow.Caller) error { return w.SignedIn(w.ctx, c) },
		"Recheck":     func(c flow.Caller) error { return w.Recheck(w.ctx, c, 0) },
		"Credential":  func(c flow.Caller) error { _, err := w.Credential(w.ctx, c, ""); return err },
		"Refused":     func(c flow.Caller) error { return w.Refused(w.ctx, c, "hash") },
	}
}

func bound(o *flow.Options) { o.Identity = flow.BoundAccount }

func web(w *world) { w.options.WebFlow = w.github; w.restart() }

func TestPersonOfAFormerOwnersRecordIsEnded(t *testing.T) {
	t.Parallel()
	for name := range calls(nil) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := connected(t, bound)
			web(w)
			_, err := w.Deliver(w.ctx, caller, []string{"stopped"}, false)
			require.NoError(t, err)
			w.settle()
			require.NotZero(t, w.user().BoundAccount)
			browsing, programming := newcomer(w)
			who := browsing
			if name == "Credential" || name == "Refused" {
				who = programming
			}
			err = calls(w)[name](who)
			if name == "Credential" {
				requireCode(t, err, apierror.CodeNotConnected)
			}
			user := w.user()
			require.Equal(t, later, user.Created)
			require.Nil(t, user.Connection)
			require.Empty(t, user.Deliveries)
			require.Zero(t, user.BoundAccount)
			require.Empty(t, user.BoundLogin)
			w.github.poll = outcomes(github.PollPending)
			w.run(time.Minute)
			require.Equal(t, []string{"ghu_first"}, w.github.revoked)
			require.Zero(t, w.servers.removes, "that home is another's")
			require.Len(t, w.audit.all("record_ended"), 1)
			require.Equal(t, "name_reassigned", w.audit.all("disconnected")[0].Reason)
		})
	}
}

func TestPersonWhoOwnedTheNameReachesNothingOfTheNewOne(t *testing.T) {
	t.Parallel()
	for name := range calls(nil) {
		for how, hubSays := range map[string]func(*world){
			"the Hub does not know the token": func(*world) {},
			"the user has another name now": func(w *world) { // whose token the Hub still knows
				w.hub.tokens[hubToken], w.hub.tokens["ada-server-"] = true, true
			},
		} {
			t.Run(name+"/"+how, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				web(w)
				browsing, _ := newcomer(w)
				w.hub.runs("")
				_, _, err := w.Start(w.ctx, browsing, flow.Request{})
				require.NoError(t, err)
				w.approve("ghu_newcomers")
				w.run(time.Minute)
				before := w.user()
				require.NotNil(t, before.Connection)
				hubSays(w)
				who := caller
				if name == "Credential" || name == "Refused" {
					who = program(userName, "")
				}
				requireCode(t, calls(w)[name](who), apierror.CodeSignedOut)
				require.Equal(t, before, w.user())
			})
		}
	}
}

func TestPersonWithoutTheTimeOfCreationIsAnsweredNothing(t *testing.T) {
	t.Parallel()
	for name := range calls(nil) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := connected(t)
			web(w)
			before := w.user()
			who := caller
			who.Created = ""
			err := calls(w)[name](who)
			requireCode(t, err, apierror.CodeHubScopeMissing)
			require.ErrorContains(t, err, "person")
			require.Equal(t, before, w.user())
		})
	}
}

func TestPersonIsOneTimeOfCreation(t *testing.T) {
	t.Parallel()
	for told, same := range map[string]bool{
		created:                            true,
		"2026-01-05T08:00:00Z":             true, // MySQL rounds
		"2026-01-05T08:00:01Z":             true,
		"2026-01-05T09:00:00.123456+01:00": true,
		"2026-01-05T08:00:02Z":             false,
		"2026-01-05T07:59:58Z":             false,
		"2027-01-05T08:00:00Z":             false,
		"yesterday":                        false,
	} {
		t.Run(told, func(t *testing.T) {
			t.Parallel()
			w := connected(t)
			w.hub.created = told
			again := caller
			again.Created = told
			user, err := w.Of(w.ctx, again)
			require.NoError(t, err)
			require.Equal(t, same, user.Connection != nil)
		})
	}
}

func TestPersonsRecordOutlivesErrorsOfTheHub(t *testing.T) {
	t.Parallel()
	w := connected(t)
	before := w.user()
	browsing, _ := newcomer(w)
	w.hub.err = &hub.UnavailableError{Err: errors.New("down")}
	_, err := w.Of(w.ctx, browsing)
	var unavailable *hub.UnavailableError
	require.ErrorAs(t, err, &unavailable)
	require.Equal(t, before, w.user())
}

func TestPersonOfARecordOfAnEarlierReleaseGetsNoToken(t *testing.T) {
	t.Parallel()
	w := connected(t, bound)
	old := w.user()
	old.Created = ""
	require.NoError(t, w.store.Save(w.ctx, old))
	_, err := w.Credential(w.ctx, func() flow.Caller {
		p := program(userName, "")
		p.HubToken = secret.New(hubToken)
		return p
	}(), "")
	requireCode(t, err, apierror.CodeNotConnected)
	user := w.user()
	require.Equal(t, created, user.Created)
	require.Equal(t, "service_updated", user.Flow.Error.Code)
	require.NotZero(t, user.BoundAccount, "it forbids, and gives nothing")
	require.NoError(t, w.SignedIn(w.ctx, caller))
	w.run(time.Minute)
	require.Equal(t, []string{"ghu_first"}, w.github.revoked)
	require.Empty(t, w.servers.content, "the dead token is taken out of the servers of this name")
}

// What a step of the former owner's found must not become the newcomer's.
func TestPersonWhoIsNewGetsNothingOfAStepUnderWay(t *testing.T) {
	t.Parallel()
	for call, hooked := range map[string]func(*world) *hooks{
		"PollOnce": func(w *world) *hooks { return &w.github.hooks },
		"Account":  func(w *world) *hooks { return &w.github.hooks },
		"Servers":  func(w *world) *hooks { return &w.hub.hooks },
		"Deliver":  func(w *world) *hooks { return &w.servers.hooks },
		"Whoami":   func(w *world) *hooks { return &w.hub.hooks },
	} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.hub.runs("")
			w.start()
			w.approve("ghu_late")
			hooked(w).during(call, func() {
				browsing, _ := newcomer(w)
				_, err := w.Of(w.ctx, browsing)
				require.NoError(t, err)
			})
			w.run(time.Minute)
			user := w.user()
			require.Nil(t, user.Flow)
			require.Nil(t, user.Connection)
			require.Empty(t, user.Deliveries)
			require.True(t, user.HubToken.Empty())
			require.Equal(t, []string{"ghu_late"}, w.github.revoked)
		})
	}
}

// A Hub token goes with its owner to another name: what was begun under the old
// one is over.
func TestPersonWhoWasRenamedConnectsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hub.runs("")
	w.start()
	w.hub.created = later // whose token it is now, by name and time
	w.approve("ghu_late")
	w.run(time.Minute)
	require.Equal(t, flow.Cancelled, w.state())
	require.Equal(t, []string{"ghu_late"}, w.github.revoked)
	require.Empty(t, w.servers.content)
}

func TestEndUserEndsAllThatIsKnownOfAName(t *testing.T) {
	t.Parallel()
	w := connected(t, bound)
	requireCode(t, w.EndUser(w.ctx, "nobody", "user end"), apierror.CodeNoRecord)
	require.NoError(t, w.EndUser(w.ctx, userName, "user end"))
	user := w.user()
	require.Nil(t, user.Connection)
	require.Zero(t, user.BoundAccount)
	require.Empty(t, user.Deliveries)
	w.run(time.Minute)
	require.Equal(t, []string{"ghu_first"}, w.github.revoked)
	require.Equal(t, "user end", w.audit.all("record_ended")[0].Reason)
	require.Zero(t, w.user().Version, "nothing is kept")
	requireCode(t, w.EndUser(w.ctx, userName, "user end"), apierror.CodeNoRecord)
}
