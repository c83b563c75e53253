package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/store"
)

func TestVerifyRefusesAWrongKeyAtStart(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	require.NoError(t, store.Verify(t.Context(), f, f.keys), "the first start")
	require.NoError(t, store.Verify(t.Context(), f, f.keys), "the next")
	err := store.Verify(t.Context(), f, newKeyring(t))
	require.ErrorIs(t, err, store.ErrWrongKey)
	require.ErrorContains(t, err, "put the earlier key file back")
	require.NoError(t, f.Close())
	require.ErrorIs(t, store.Verify(t.Context(), f, f.keys), store.ErrUnavailable)
}

func TestResealMakesTheOlderKeyUnneededSoon(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	path := filepath.Join(t.TempDir(), "keys")
	var err error
	f.keys, err = store.EnsureKeyring(path)
	require.NoError(t, err)
	require.NoError(t, store.Verify(t.Context(), f, f.keys))
	due := f.clock.Now().Add(time.Hour)
	for i := range 150 {
		require.NoError(t, f.users().Save(t.Context(), pendingUser(fmt.Sprintf("user %03d", i), due)))
	}
	session, err := store.NewSessions(f, f.keys).Create(t.Context(), newSession(f, "ann"))
	require.NoError(t, err)

	require.NoError(t, store.Rotate(path))
	f.keys, err = store.LoadKeyring(path)
	require.NoError(t, err)
	require.NoError(t, store.Verify(t.Context(), f, f.keys))
	require.NoError(t, f.users().Save(t.Context(), pendingUser("a new one", due)))
	count, err := store.Reseal(t.Context(), f, f.keys)
	require.NoError(t, err)
	require.Equal(t, 152, count)
	again, err := store.Reseal(t.Context(), f, f.keys)
	require.NoError(t, err)
	require.Zero(t, again)

	for _, kind := range []store.Kind{store.KindUser, store.KindSession, store.KindCheck} {
		records, err := f.List(t.Context(), kind, "", 1000)
		require.NoError(t, err)
		for _, record := range records {
			require.True(t, f.keys.Current(record.Value))
			_, err := f.keys.Open(record.Kind, record.Key, record.Value)
			require.NoError(t, err)
		}
	}
	_, err = store.NewSessions(f, f.keys).Session(t.Context(), session)
	require.NoError(t, err, "nobody is signed out")
	next, err := f.users().NextDue(t.Context())
	require.NoError(t, err)
	require.Equal(t, due, next, "due times are kept")
}

func TestResealContinuesBehindARecordThatDoesNotOpen(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	older := f.keys
	require.NoError(t, f.users().Save(t.Context(), pendingUser("ann", time.Time{})))
	f.keys = newKeyring(t) // without the older one
	require.NoError(t, f.users().Save(t.Context(), pendingUser("bob", time.Time{})))
	_, err := store.Reseal(t.Context(), f, f.keys)
	require.ErrorIs(t, err, store.ErrWrongKey)
	f.keys = older
	_, err = f.users().Load(t.Context(), "ann")
	require.NoError(t, err, "it is left as it was")
}

// overtaken writes a record once more behind the back of whoever reads it.
type overtaken struct {
	store.Backend
	left *int
}

func (o overtaken) Put(ctx context.Context, record store.Record) (uint64, error) {
	if *o.left > 0 {
		*o.left--
		current, err := o.Backend.Get(ctx, record.Kind, record.Key)
		if err != nil {
			return 0, err
		}
		if _, err := o.Backend.Put(ctx, current); err != nil {
			return 0, err
		}
	}
	return o.Backend.Put(ctx, record)
}

func TestResealGivesWayToOtherWriters(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	require.NoError(t, f.users().Save(t.Context(), pendingUser("ann", time.Time{})))
	older, newer := store.NewKey(), store.NewKey()
	before, err := store.NewKeyring(older)
	require.NoError(t, err)
	f.keys = before
	require.NoError(t, f.users().Save(t.Context(), pendingUser("bob", time.Time{})))
	record, err := f.Get(t.Context(), store.KindUser, "ann")
	require.NoError(t, err)
	require.NoError(t, f.Delete(t.Context(), store.KindUser, "ann", record.Version))
	after, err := store.NewKeyring(newer, older)
	require.NoError(t, err)
	left := 3
	count, err := store.Reseal(t.Context(), overtaken{f, &left}, after)
	require.NoError(t, err)
	require.Equal(t, 1, count)
	require.Zero(t, left)
}

func TestStoreIsMeasured(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	reg := prometheus.NewPedanticRegistry()
	backend := store.Observed(f.Backend, reg)
	version, err := backend.Put(t.Context(), store.Record{Kind: "thing", Key: "a"})
	require.NoError(t, err)
	_, err = backend.Put(t.Context(), store.Record{Kind: "thing", Key: "a"})
	require.ErrorIs(t, err, store.ErrConflict)
	_, err = backend.Get(t.Context(), "thing", "b")
	require.ErrorIs(t, err, store.ErrNotFound)
	require.NoError(t, backend.Delete(t.Context(), "thing", "a", version))
	require.Equal(t, 1.0, metrics(t, reg, "ghscoped_store_up")[0].GetGauge().GetValue())
	require.Len(t, metrics(t, reg, "ghscoped_store_operation_duration_seconds"), 4,
		"put ok, put conflict, get not_found, delete ok")

	require.NoError(t, backend.Close())
	require.Error(t, backend.Ping(t.Context()))
	require.Equal(t, 0.0, metrics(t, reg, "ghscoped_store_up")[0].GetGauge().GetValue())
}

func metrics(t *testing.T, reg prometheus.Gatherer, name string) []*dto.Metric {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() == name {
			return family.GetMetric()
		}
	}
	require.FailNow(t, "no such metric", name)
	return nil
}
