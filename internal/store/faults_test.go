package store_test

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/audit"
	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/hubauth"
	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/store"
)

var errDisk = errors.New("the disk is gone")

// faulty is a backend on which chosen operations fail. What an operation does
// before it returns its error is done by meanwhile.
type faulty struct {
	store.Backend                    // nil: what does not fail does nothing
	fails         map[string][]error // by operation: of its first calls; nil: it works
	meanwhile     func()
}

func (f *faulty) next(op string) error {
	if len(f.fails[op]) == 0 {
		return nil
	}
	err := f.fails[op][0]
	f.fails[op] = f.fails[op][1:]
	if err != nil && f.meanwhile != nil {
		f.meanwhile()
	}
	return err
}

func (f *faulty) Get(ctx context.Context, kind store.Kind, key string) (store.Record, error) {
	if err := f.next("get"); err != nil || f.Backend == nil {
		return store.Record{}, err
	}
	return f.Backend.Get(ctx, kind, key)
}

func (f *faulty) Put(ctx context.Context, record store.Record) (uint64, error) {
	if err := f.next("put"); err != nil || f.Backend == nil {
		return 0, err
	}
	return f.Backend.Put(ctx, record)
}

func (f *faulty) Delete(ctx context.Context, kind store.Kind, key string, version uint64) error {
	if err := f.next("delete"); err != nil || f.Backend == nil {
		return err
	}
	return f.Backend.Delete(ctx, kind, key, version)
}

func (f *faulty) Claim(ctx context.Context, kind store.Kind, hold time.Duration, limit int) ([]store.Record, error) {
	if err := f.next("claim"); err != nil || f.Backend == nil {
		return nil, err
	}
	return f.Backend.Claim(ctx, kind, hold, limit)
}

func (f *faulty) NextDue(ctx context.Context, kind store.Kind) (time.Time, error) {
	if err := f.next("next_due"); err != nil || f.Backend == nil {
		return time.Time{}, err
	}
	return f.Backend.NextDue(ctx, kind)
}

func (f *faulty) List(ctx context.Context, kind store.Kind, after string, limit int) ([]store.Record, error) {
	if err := f.next("list"); err != nil || f.Backend == nil {
		return nil, err
	}
	return f.Backend.List(ctx, kind, after, limit)
}

func (f *faulty) Ping(ctx context.Context) error {
	if err := f.next("ping"); err != nil || f.Backend == nil {
		return err
	}
	return f.Backend.Ping(ctx)
}

// tables are the stores on one backend, with a record of each.
type tables struct {
	fixture
	*faulty
	users    *store.Users
	sessions *store.Sessions
	bots     *store.Bots
	events   *store.Events
	limits   *store.Limits
	user     *flow.User
	session  string
}

func newTables(t *testing.T) *tables {
	t.Helper()
	f := newFixture(t)
	backend := &faulty{Backend: f.Backend, fails: map[string][]error{}}
	all := &tables{
		fixture: f, faulty: backend,
		users:    store.NewUsers(backend, f.keys, f.clock.Now, slog.New(slog.DiscardHandler)),
		sessions: store.NewSessions(backend, f.keys),
		bots:     store.NewBots(backend, f.keys),
		events:   store.NewEvents(backend, f.keys),
		limits:   store.NewLimits(backend),
		user:     pendingUser("ann", time.Time{}),
	}
	require.NoError(t, all.users.Save(t.Context(), all.user))
	var err error
	all.session, err = all.sessions.Create(t.Context(), newSession(f, "ann"))
	require.NoError(t, err)
	require.NoError(t, all.bots.Add(t.Context(), live("service:a", "ghs_a", f.clock.Now().Add(time.Hour))))
	require.NoError(t, all.events.Add(t.Context(), audit.Event{Time: f.clock.Now(), OfUser: audit.OfUser{User: "ann"}, Action: "x"}))
	require.NoError(t, store.Verify(t.Context(), f.Backend, f.keys))
	return all
}

// operations of the stores, by name, each with the calls of the backend that it
// makes. An error of any of them is an error of the operation.
var operations = map[string]struct {
	calls []string
	run   func(ctx context.Context, a *tables) error
}{
	"Users.Load": {[]string{"get"}, func(ctx context.Context, a *tables) error {
		_, err := a.users.Load(ctx, "ann")
		return err
	}},
	"Users.Save": {[]string{"put"}, func(ctx context.Context, a *tables) error { return a.users.Save(ctx, a.user) }},
	"Users.Save of one who holds nothing": {[]string{"delete"}, func(ctx context.Context, a *tables) error {
		return a.users.Save(ctx, &flow.User{Name: "ann", Version: a.user.Version})
	}},
	"Users.Save of one who never held anything": {[]string{"get"}, func(ctx context.Context, a *tables) error {
		return a.users.Save(ctx, &flow.User{Name: "bob"})
	}},
	"Users.Claim": {[]string{"claim"}, func(ctx context.Context, a *tables) error {
		_, err := a.users.Claim(ctx, time.Minute, 1)
		return err
	}},
	"Users.NextDue": {[]string{"next_due"}, func(ctx context.Context, a *tables) error {
		_, err := a.users.NextDue(ctx)
		return err
	}},
	"Users.List": {[]string{"list"}, func(ctx context.Context, a *tables) error {
		_, _, err := a.users.List(ctx, "", 1)
		return err
	}},
	"Sessions.Create": {[]string{"list", "put"}, func(ctx context.Context, a *tables) error {
		_, err := a.sessions.Create(ctx, newSession(a.fixture, "ann"))
		return err
	}},
	"Sessions.Create of one too many": {[]string{"delete"}, func(ctx context.Context, a *tables) (err error) {
		failing := a.fails
		a.fails = nil
		for range 19 {
			_, more := a.sessions.Create(ctx, newSession(a.fixture, "ann"))
			err = errors.Join(err, more)
		}
		a.fails = failing
		_, last := a.sessions.Create(ctx, newSession(a.fixture, "ann"))
		return errors.Join(err, last)
	}},
	"Sessions.Session": {[]string{"get"}, func(ctx context.Context, a *tables) error {
		_, err := a.sessions.Session(ctx, a.session)
		return err
	}},
	"Sessions.End": {[]string{"get", "delete"}, func(ctx context.Context, a *tables) error { return a.sessions.End(ctx, a.session) }},
	"Sessions.End while it is sealed again": {[]string{"get again"}, func(ctx context.Context, a *tables) error {
		return a.sessions.End(ctx, a.session)
	}},
	"Bots.Add": {[]string{"put"}, func(ctx context.Context, a *tables) error {
		return a.bots.Add(ctx, live("service:b", "ghs_b", a.clock.Now().Add(time.Hour)))
	}},
	"Bots.List": {[]string{"list"}, func(ctx context.Context, a *tables) error {
		_, err := a.bots.List(ctx, "service:a")
		return err
	}},
	"Bots.Remove": {[]string{"get", "delete"}, func(ctx context.Context, a *tables) error {
		return a.bots.Remove(ctx, "service:a", live("", "ghs_a", time.Time{}).ID)
	}},
	"Events.Add": {[]string{"put"}, func(ctx context.Context, a *tables) error {
		return a.events.Add(ctx, audit.Event{Time: a.clock.Now(), Action: "y"})
	}},
	"Events.Recent": {[]string{"list"}, func(ctx context.Context, a *tables) error {
		_, err := a.events.Recent(ctx, 1)
		return err
	}},
	"Events.Trim": {[]string{"list", "delete"}, func(ctx context.Context, a *tables) error { return a.events.Trim(ctx, 0, 0) }},
	"Limits.Until": {[]string{"get"}, func(ctx context.Context, a *tables) error {
		_, err := a.limits.Until(ctx, "app")
		return err
	}},
	"Limits.Shut": {[]string{"get", "put"}, func(ctx context.Context, a *tables) error {
		return a.limits.Shut(ctx, "app", a.clock.Now().Add(time.Minute))
	}},
	"Verify": {[]string{"get"}, func(ctx context.Context, a *tables) error { return store.Verify(ctx, a.faulty, a.keys) }},
	"Try":    {[]string{"get"}, func(ctx context.Context, a *tables) error { return store.Try(ctx, a.faulty, a.keys) }},
	"Reseal": {[]string{"list", "put"}, func(ctx context.Context, a *tables) error {
		_, err := store.Reseal(ctx, a.faulty, a.newer())
		return err
	}},
	"Reseal while others write": {[]string{"get after put"}, func(ctx context.Context, a *tables) error {
		_, err := store.Reseal(ctx, a.faulty, a.newer())
		return err
	}},
}

// newer is the keyring after a rotation.
func (a *tables) newer() *store.Keyring {
	ring, err := store.NewKeyring(store.NewKey(), a.key)
	if err != nil {
		panic(err)
	}
	return ring
}

func TestStoreReturnsErrorsOfItsBackend(t *testing.T) {
	t.Parallel()
	for name, operation := range operations {
		for _, call := range operation.calls {
			t.Run(name+"/"+call, func(t *testing.T) {
				t.Parallel()
				a := newTables(t)
				switch call {
				case "get again":
					a.fails["delete"], a.fails["get"] = []error{store.ErrConflict}, []error{nil, errDisk}
				case "get after put":
					a.fails["put"], a.fails["get"] = []error{store.ErrConflict}, []error{errDisk}
				default:
					a.fails[call] = []error{errDisk}
				}
				require.ErrorIs(t, operation.run(t.Context(), a), errDisk)
				require.NoError(t, operation.run(t.Context(), a), "it works again")
			})
		}
	}
}

func TestStoreIsTakenOver(t *testing.T) {
	t.Parallel()
	conflicts := func() map[string][]error {
		return map[string][]error{"delete": {store.ErrConflict, store.ErrConflict}, "put": {store.ErrConflict, store.ErrConflict}}
	}
	for _, name := range []string{"Sessions.End", "Bots.Remove", "Limits.Shut", "Events.Trim", "Reseal"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newTables(t)
			a.fails = conflicts()
			require.NoError(t, operations[name].run(t.Context(), a), "another writer was faster")
		})
	}
}

// What others delete meanwhile is gone, as it was meant to be.
func TestStoreForgetsWhatIsGoneAlready(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]store.Kind{
		"Sessions.End": store.KindSession, "Bots.Remove": store.KindBot, "Events.Trim": store.KindEvent, "Reseal": store.KindUser,
	} {
		for _, because := range []error{store.ErrConflict, store.ErrNotFound} {
			if name == "Reseal" && errors.Is(because, store.ErrNotFound) {
				continue // no answer to a Put
			}
			t.Run(name+"/"+because.Error(), func(t *testing.T) {
				t.Parallel()
				a := newTables(t)
				a.fails["delete"], a.fails["put"] = []error{because}, []error{because}
				a.meanwhile = func() {
					records, err := a.fixture.List(t.Context(), kind, "", 10)
					require.NoError(t, err)
					for _, record := range records {
						require.NoError(t, a.fixture.Delete(t.Context(), kind, record.Key, record.Version))
					}
				}
				require.NoError(t, operations[name].run(t.Context(), a))
			})
		}
	}
}

// A record that somebody wrote who does not have the key, or that another
// release wrote, is an error and no empty answer.
func TestStoreRefusesRecordsThatDoNotOpen(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		kind store.Kind
		of   string
	}{
		"a user": {store.KindUser, "Users.Load"}, "a session": {store.KindSession, "Sessions.Session"},
		"a bot's token": {store.KindBot, "Bots.List"}, "an event": {store.KindEvent, "Events.Recent"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newTables(t)
			records, err := a.fixture.List(t.Context(), test.kind, "", 10)
			require.NoError(t, err)
			require.Len(t, records, 1)

			record := records[0]
			record.Value = flip(record.Value, len(record.Value)-1)
			record.Version, err = a.fixture.Put(t.Context(), record)
			require.NoError(t, err)
			require.ErrorIs(t, operations[test.of].run(t.Context(), a), store.ErrAltered)

			record.Value = a.keys.Seal(test.kind, record.Key, []byte("no JSON"))
			_, err = a.fixture.Put(t.Context(), record)
			require.NoError(t, err)
			require.ErrorContains(t, operations[test.of].run(t.Context(), a), "decoding")
		})
	}
}

// No JSON holds a year of five digits.
func TestStoreKeepsNothingThatCannotBeEncoded(t *testing.T) {
	t.Parallel()
	never := time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, save := range map[string]func(a *tables) error{
		"a user": func(a *tables) error { return a.users.Save(t.Context(), pendingUser("bob", never)) },
		"a session": func(a *tables) error {
			session := newSession(a.fixture, "bob")
			session.ExpiresAt = never
			_, err := a.sessions.Create(t.Context(), session)
			return err
		},
		"a bot's token": func(a *tables) error { return a.bots.Add(t.Context(), live("service:b", "ghs_b", never)) },
		"an event": func(a *tables) error {
			return a.events.Add(t.Context(), audit.Event{Time: a.clock.Now(), OfUser: audit.OfUser{User: "bob"}, ExpiresAt: never})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newTables(t)
			a.fails["put"] = []error{errDisk}
			require.ErrorContains(t, save(a), "encoding")
		})
	}
}

func TestVerifyBesideAnotherReplica(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		another func(keys *store.Keyring) *store.Keyring
		gets    []error
		want    error
	}{
		"of the same key":      {another: func(keys *store.Keyring) *store.Keyring { return keys }},
		"of another key":       {another: func(*store.Keyring) *store.Keyring { return newKeyring(t) }, want: store.ErrWrongKey},
		"and then none at all": {gets: []error{nil, errDisk}, want: errDisk},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			backend := &faulty{Backend: f.Backend, fails: map[string][]error{"put": {store.ErrConflict}, "get": test.gets}}
			if test.another != nil {
				backend.meanwhile = func() { require.NoError(t, store.Verify(t.Context(), f.Backend, test.another(f.keys))) }
			}
			require.ErrorIs(t, store.Verify(t.Context(), backend, f.keys), test.want)
		})
	}
}

func TestVerifyReturnsErrorsOfTheFirstStart(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	backend := &faulty{Backend: f.Backend, fails: map[string][]error{"put": {errDisk}}}
	require.ErrorIs(t, store.Verify(t.Context(), backend, f.keys), errDisk)
}

func TestForFlow(t *testing.T) {
	t.Parallel()
	a := newTables(t)
	a.fails["get"] = []error{errors.Join(store.ErrFull, store.ErrUnavailable), store.ErrConflict}
	_, err := a.users.Load(t.Context(), "ann")
	full, is := errors.AsType[*apierror.Error](err)
	require.True(t, is)
	require.Equal(t, "store_full", full.Code)
	require.True(t, full.Retryable)
	_, err = a.users.Load(t.Context(), "ann")
	require.ErrorIs(t, err, flow.ErrConflict)
}

func TestResealCountsWhatItSealsBehindRecordsThatDoNotOpen(t *testing.T) {
	t.Parallel()
	a := newTables(t)
	for name, keys := range map[string]*store.Keyring{"aaa": a.keys, "aab": newKeyring(t)} {
		value := keys.Seal(store.KindUser, name, []byte("{}"))
		if name == "aaa" {
			value = flip(value, len(value)-1)
		}
		_, err := a.fixture.Put(t.Context(), store.Record{Kind: store.KindUser, Key: name, Value: value})
		require.NoError(t, err)
	}
	count, err := store.Reseal(t.Context(), a.fixture, a.newer())
	require.ErrorIs(t, err, store.ErrAltered)
	require.ErrorIs(t, err, store.ErrWrongKey)
	require.Equal(t, 5, count, "a user, a session, a bot's token, an event, the check")
}

func TestSessionAsksTheStoreOnlyForIDsThatCanBe(t *testing.T) {
	t.Parallel()
	random, _, _ := strings.Cut(newTables(t).session, ".")
	encoded := func(user string) string { return base64.RawURLEncoding.EncodeToString([]byte(user)) }
	for name, id := range map[string]string{
		"empty": "", "no user": random, "an empty user": random + ".", "no base64 behind a user": random + "." + encoded("ann") + "??",
		"a user without end": random + "." + encoded(strings.Repeat("a", store.MaxKey/2+1)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sessions := store.NewSessions(&faulty{fails: map[string][]error{"get": {errDisk}}}, newKeyring(t))
			_, err := sessions.Session(t.Context(), id)
			require.ErrorIs(t, err, hubauth.ErrNoSession)
		})
	}
}

func TestUsersKeepAnEndedFlowLongerThanAHubToken(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	require.NoError(t, f.users().Save(t.Context(), &flow.User{
		Name: "ann", Flow: &flow.Flow{State: flow.Denied},
		HubToken: secret.Store(secret.New("t")), HubTokenExpires: f.clock.Now().Add(time.Hour), PacedUntil: f.clock.Now().Add(time.Hour),
	}))
	record, err := f.Get(t.Context(), store.KindUser, "ann")
	require.NoError(t, err)
	require.Equal(t, f.clock.Now().Add(24*time.Hour), record.Expires)
}

func TestUsersForgetOneWhoseHubTokenWasTakenBack(t *testing.T) {
	t.Parallel()
	a := newTables(t)
	a.user.Flow, a.user.HubTokenExpires = nil, a.clock.Now().Add(time.Hour)
	require.NoError(t, a.users.Save(t.Context(), a.user))
	require.Zero(t, a.user.Version)
}

func TestUsersListOfNone(t *testing.T) {
	t.Parallel()
	users, next, err := newFixture(t).users().List(t.Context(), "", 0)
	require.NoError(t, err)
	require.Empty(t, users)
	require.Empty(t, next)
}

func TestUsersKeepTheCountOfAttempts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := &flow.User{Name: "ann", PacedUntil: f.clock.Now().Add(time.Hour)}
	require.NoError(t, f.users().Save(t.Context(), user))
	record, err := f.Get(t.Context(), store.KindUser, "ann")
	require.NoError(t, err)
	require.Equal(t, user.PacedUntil, record.Expires)
}

func TestObservedCountsEachEnd(t *testing.T) {
	t.Parallel()
	const asBefore = -1
	for _, test := range []struct {
		status string
		err    error
		up     float64
	}{
		{"ok", nil, 1}, {"not_found", store.ErrNotFound, 1}, {"conflict", store.ErrConflict, 1},
		{"full", errors.Join(store.ErrFull, store.ErrUnavailable), 1}, {"unavailable", store.ErrUnavailable, 0},
		{"cancelled", context.Canceled, asBefore}, {"cancelled", context.DeadlineExceeded, asBefore}, {"error", errDisk, asBefore},
	} {
		for _, op := range []string{"get", "put", "delete", "claim", "next_due", "list", "ping"} {
			t.Run(test.status+"/"+op, func(t *testing.T) {
				t.Parallel()
				raw := &faulty{fails: map[string][]error{}}
				reg := prometheus.NewPedanticRegistry()
				backend := store.Observed(raw, reg)
				up := func() float64 { return metrics(t, reg, "ghscoped_store_up")[0].GetGauge().GetValue() }

				for before, ping := range map[float64]error{0: store.ErrUnavailable, 1: nil} {
					raw.fails["ping"] = []error{ping}
					_ = backend.Ping(t.Context())
					require.Equal(t, before, up())
					raw.fails[op] = []error{test.err}
					require.ErrorIs(t, call(t.Context(), backend, op), test.err)
					if test.up == asBefore {
						require.Equal(t, before, up())
					} else {
						require.Equal(t, test.up, up())
					}
				}
				require.Contains(t, ends(t, reg), op+" "+test.status)
			})
		}
	}
}

// call makes a call of the backend.
func call(ctx context.Context, backend store.Backend, op string) (err error) {
	switch op {
	case "get":
		_, err = backend.Get(ctx, "thing", "a")
	case "put":
		_, err = backend.Put(ctx, store.Record{Kind: "thing", Key: "a"})
	case "delete":
		err = backend.Delete(ctx, "thing", "a", 1)
	case "claim":
		_, err = backend.Claim(ctx, "thing", time.Minute, 1)
	case "next_due":
		_, err = backend.NextDue(ctx, "thing")
	case "list":
		_, err = backend.List(ctx, "thing", "", 1)
	default:
		err = backend.Ping(ctx)
	}
	return err
}

// ends are the operations that were measured, each with how it ended.
func ends(t *testing.T, reg prometheus.Gatherer) (all []string) {
	t.Helper()
	for _, metric := range metrics(t, reg, "ghscoped_store_operation_duration_seconds") {
		all = append(all, metric.GetLabel()[0].GetValue()+" "+metric.GetLabel()[1].GetValue())
	}
	return all
}

func TestObservedTellsWhetherTheStoreIsFull(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	raw := &faulty{Backend: f.Backend, fails: map[string][]error{"put": {store.ErrFull}}}
	reg := prometheus.NewPedanticRegistry()
	backend := store.Observed(raw, reg)
	full := func() float64 { return metrics(t, reg, "ghscoped_store_full")[0].GetGauge().GetValue() }
	version, err := f.Put(t.Context(), store.Record{Kind: "thing", Key: "old"})
	require.NoError(t, err)

	_, err = backend.Put(t.Context(), store.Record{Kind: "thing", Key: "new"})
	require.ErrorIs(t, err, store.ErrFull)
	require.Equal(t, 1.0, full())
	for _, other := range []store.Record{{Kind: "thing", Key: "old", Version: version}, {Kind: store.KindSession, Key: "new"}} {
		_, err = backend.Put(t.Context(), other)
		require.NoError(t, err)
		require.Equal(t, 1.0, full(), "a full store takes these, too")
	}
	raw.fails["put"] = []error{errDisk}
	_, err = backend.Put(t.Context(), store.Record{Kind: "thing", Key: "new"})
	require.ErrorIs(t, err, errDisk)
	require.Equal(t, 1.0, full())
	_, err = backend.Put(t.Context(), store.Record{Kind: "thing", Key: "new"})
	require.NoError(t, err)
	require.Zero(t, full())
}
