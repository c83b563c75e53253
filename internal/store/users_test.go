package store_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/store"
)

func pendingUser(name string, due time.Time) *flow.User {
	return &flow.User{Name: name, Flow: &flow.Flow{
		ID: "1", State: flow.Pending, Retry: flow.Retry{Due: due}, Interval: 5 * time.Second,
		DeviceCode: secret.Store(secret.New("device-code-of-" + name)),
	}}
}

func TestUsersReadAsTheyWereSaved(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	users := f.users()
	for _, name := range []string{"ann", "o'malley", "ü$&", "a+b", "x@y.org", "two words"} {
		unknown, err := users.Load(t.Context(), name)
		require.NoError(t, err)
		require.Equal(t, &flow.User{Name: name}, unknown)

		user := pendingUser(name, f.clock.Now())
		require.NoError(t, users.Save(t.Context(), user))
		require.NotZero(t, user.Version)
		read, err := users.Load(t.Context(), name)
		require.NoError(t, err)
		require.Equal(t, user, read)
		require.Equal(t, "device-code-of-"+name, read.Flow.DeviceCode.Reveal())
		raw, err := f.Get(t.Context(), store.KindUser, name)
		require.NoError(t, err)
		require.NotContains(t, string(raw.Value), "device-code")
	}
}

func TestUsersRefuseAnOvertakenWriter(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	users := f.users()
	require.NoError(t, users.Save(t.Context(), pendingUser("ann", f.clock.Now())))
	require.ErrorIs(t, users.Save(t.Context(), pendingUser("ann", f.clock.Now())), flow.ErrConflict)
	require.ErrorIs(t, users.Save(t.Context(), &flow.User{Name: "ann"}), flow.ErrConflict, "not even to forget")

	mine, err := users.Load(t.Context(), "ann")
	require.NoError(t, err)
	theirs, err := users.Load(t.Context(), "ann")
	require.NoError(t, err)
	theirs.Flow = nil
	require.NoError(t, users.Save(t.Context(), theirs))
	require.Zero(t, theirs.Version, "who holds nothing is forgotten")
	require.ErrorIs(t, users.Save(t.Context(), mine), flow.ErrConflict)
	mine.Flow = nil
	require.ErrorIs(t, users.Save(t.Context(), mine), flow.ErrConflict)
	require.NoError(t, users.Save(t.Context(), &flow.User{Name: "ann"}))
}

func TestUsersKeepARecordAsLongAsItIsWorth(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	ended := &flow.Flow{ID: "1", State: flow.Denied}
	for name, try := range map[string]struct {
		user func(now time.Time) flow.User
		kept []time.Duration // still there after
		gone time.Duration   // no longer; 0: it stays
	}{
		"nothing":          {func(time.Time) flow.User { return flow.User{} }, nil, time.Millisecond},
		"an ended flow":    {func(time.Time) flow.User { return flow.User{Flow: ended} }, []time.Duration{day - time.Second}, day},
		"a flow under way": {func(time.Time) flow.User { return flow.User{Flow: &flow.Flow{State: flow.Pending}} }, []time.Duration{900 * day}, 0},
		"a bound account":  {func(time.Time) flow.User { return flow.User{BoundAccount: 7, Flow: ended} }, []time.Duration{900 * day}, 0},
		"a connection":     {func(time.Time) flow.User { return flow.User{Connection: &flow.Connection{}} }, []time.Duration{900 * day}, 0},
		"a server to clean": {func(time.Time) flow.User {
			return flow.User{Deliveries: []flow.Delivery{{State: flow.DeliveryRemoving}}}
		}, []time.Duration{900 * day}, 0},
		"a token to revoke": {func(time.Time) flow.User { return flow.User{Revocations: []flow.Revocation{{}}} }, []time.Duration{900 * day}, 0},
		"only a Hub token": {func(now time.Time) flow.User {
			return flow.User{HubToken: secret.Store(secret.New("t")), HubTokenExpires: now.Add(2 * day)}
		}, []time.Duration{2*day - time.Second}, 2 * day},
		"a Hub token that has ended": {func(now time.Time) flow.User {
			return flow.User{HubToken: secret.Store(secret.New("t")), HubTokenExpires: now}
		}, nil, time.Millisecond},
	} {
		f := newFixture(t)
		user := try.user(f.clock.Now())
		user.Name = "ann"
		require.NoError(t, f.users().Save(t.Context(), &user), name)
		exists := func(after time.Duration) bool {
			f.clock.Advance(after)
			defer f.clock.Advance(-after)
			_, err := f.Get(t.Context(), store.KindUser, "ann")
			return err == nil
		}
		for _, after := range try.kept {
			require.True(t, exists(after), "%s, after %s", name, after)
		}
		if try.gone != 0 {
			require.False(t, exists(try.gone), name)
		}
	}
}

func TestUsersClaimDueOnesWithAFence(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	users := f.users()
	due := f.clock.Now().Add(5 * time.Second)
	require.NoError(t, users.Save(t.Context(), pendingUser("ann", due)))
	require.NoError(t, users.Save(t.Context(), pendingUser("bob", due.Add(time.Hour))))
	next, err := users.NextDue(t.Context())
	require.NoError(t, err)
	require.Equal(t, due, next)

	f.clock.Advance(5 * time.Second)
	claimed, err := users.Claim(t.Context(), flow.Hold, 10)
	require.NoError(t, err)
	require.Len(t, claimed, 1)
	require.Equal(t, "ann", claimed[0].Name)
	f.clock.Advance(flow.Hold)
	again, err := users.Claim(t.Context(), flow.Hold, 10)
	require.NoError(t, err)
	require.Len(t, again, 1)
	require.ErrorIs(t, users.Save(t.Context(), claimed[0]), flow.ErrConflict)
	require.NoError(t, users.Save(t.Context(), again[0]))
}

func TestUsersKeepAClaimUntilItsHolderEndsIt(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	users := f.users()
	require.NoError(t, users.Save(t.Context(), pendingUser("ann", f.clock.Now())))
	claimed, err := users.Claim(t.Context(), flow.Hold, 1)
	require.NoError(t, err)
	require.Len(t, claimed, 1)
	require.Equal(t, f.clock.Now().Add(flow.Hold), claimed[0].Held)

	stored, err := f.Get(t.Context(), store.KindUser, "ann")
	require.NoError(t, err)
	require.Equal(t, f.clock.Now(), stored.Due, "the record is due as it was")

	other, err := users.Load(t.Context(), "ann")
	require.NoError(t, err)
	require.Equal(t, claimed[0].Held, other.Held)
	other.BoundAccount = 7
	require.NoError(t, users.Save(t.Context(), other))
	none, err := users.Claim(t.Context(), flow.Hold, 1)
	require.NoError(t, err)
	require.Empty(t, none, "another writer's save does not end it")

	other.Held = time.Time{}
	require.NoError(t, users.Save(t.Context(), other))
	again, err := users.Claim(t.Context(), flow.Hold, 1)
	require.NoError(t, err)
	require.Len(t, again, 1)
	f.clock.Advance(flow.Hold)
	overdue, err := users.Load(t.Context(), "ann")
	require.NoError(t, err)
	require.Zero(t, overdue.Held, "a claim ends by itself")
}

// A claim and what is written in the same millisecond, or what is due 45 s later
// by itself, are told apart.
func TestUsersHeldIsWhatTheClaimSetWhateverTheTime(t *testing.T) {
	t.Parallel()
	for _, uneven := range []time.Duration{0, time.Nanosecond, 500 * time.Microsecond, time.Millisecond - time.Nanosecond} {
		f := newFixture(t)
		f.clock.Advance(uneven)
		users := f.users()
		require.NoError(t, users.Save(t.Context(), pendingUser("ann", f.clock.Now().Add(-time.Second))))
		claimed, err := users.Claim(t.Context(), flow.Hold, 1)
		require.NoError(t, err)
		require.Len(t, claimed, 1)
		require.True(t, claimed[0].Held.After(f.clock.Now()), uneven)
		meanwhile, err := users.Load(t.Context(), "ann")
		require.NoError(t, err)
		require.Equal(t, claimed[0].Held, meanwhile.Held, uneven)
		require.NoError(t, users.Save(t.Context(), meanwhile))
		meanwhile, err = users.Load(t.Context(), "ann")
		require.NoError(t, err)
		require.Equal(t, claimed[0].Held, meanwhile.Held, uneven)

		planned := pendingUser("bob", f.clock.Now().Add(30*time.Second))
		require.NoError(t, users.Save(t.Context(), planned))
		read, err := users.Load(t.Context(), "bob")
		require.NoError(t, err)
		require.Zero(t, read.Held, "what is due soon is not claimed")
	}
}

func TestUsersTellOfOneThatDoesNotOpenAndHoldUpNobody(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var log bytes.Buffer
	users := store.NewUsers(f.Backend, f.keys, f.clock.Now, slog.New(slog.NewTextHandler(&log, nil)))
	_, err := f.Put(t.Context(), store.Record{Kind: store.KindUser, Key: "ann", Due: f.clock.Now(), Value: newKeyring(t).Seal(store.KindUser, "ann", []byte("{}"))})
	require.NoError(t, err)
	require.NoError(t, users.Save(t.Context(), pendingUser("bob", f.clock.Now())))

	claimed, err := users.Claim(t.Context(), flow.Hold, 10)
	require.NoError(t, err)
	require.Len(t, claimed, 1)
	require.Equal(t, "bob", claimed[0].Name)
	require.Contains(t, log.String(), "user=ann")
	_, err = users.Load(t.Context(), "ann")
	require.ErrorIs(t, err, store.ErrWrongKey)
}

func TestUsersAreListedInPages(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	users := f.users()
	for _, name := range []string{"c", "a", "b"} {
		require.NoError(t, users.Save(t.Context(), pendingUser(name, time.Time{})))
	}
	first, next, err := users.List(t.Context(), "", 2)
	require.NoError(t, err)
	require.Len(t, first, 2)
	require.Equal(t, "b", next)
	second, next, err := users.List(t.Context(), next, 2)
	require.NoError(t, err)
	require.Len(t, second, 1)
	require.Equal(t, "c", second[0].Name)
	require.Empty(t, next)
}

func TestUsersWatch(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	users := f.users()
	ctx, leave := context.WithCancel(t.Context())
	left, ofAnn, ofAll := users.Watch(ctx, "ann"), users.Watch(t.Context(), "ann"), users.Watch(t.Context(), "")
	leave()
	_, open := <-left
	require.False(t, open)

	user := pendingUser("ann", time.Time{})
	require.NoError(t, users.Save(t.Context(), user))
	require.NoError(t, users.Save(t.Context(), user))
	require.NoError(t, users.Save(t.Context(), pendingUser("bob", time.Time{})))
	_, err := f.Put(t.Context(), store.Record{Kind: store.KindSession, Key: "ann"})
	require.NoError(t, err)
	require.Equal(t, store.KeySet{"ann": {}}, <-ofAnn)
	require.Equal(t, store.KeySet{"ann": {}, "bob": {}}, <-ofAll)

	require.NoError(t, f.Close())
	for _, changes := range []<-chan store.KeySet{ofAnn, ofAll} {
		_, open = <-changes
		require.False(t, open)
	}
}

func TestUsersErrorsOfTheStoreAreRetryable(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	users := f.users()
	require.NoError(t, f.Close())
	_, err := users.Load(t.Context(), "ann")
	var trouble *apierror.Error
	require.True(t, errors.As(err, &trouble))
	require.True(t, trouble.Retryable)
	require.Equal(t, "store_unavailable", trouble.Code)
	require.NotContains(t, trouble.Message+trouble.Hint, f.path)
	require.ErrorIs(t, users.Save(t.Context(), pendingUser("ann", time.Time{})), store.ErrUnavailable)
}
