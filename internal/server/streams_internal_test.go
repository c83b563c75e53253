package server

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/flow"
)

func TestStreamsOfAllUsersAreBounded(t *testing.T) {
	t.Parallel()
	watched := make(chan context.Context, 2)
	all := newStreams(prometheus.NewRegistry(), func(ctx context.Context, name string) <-chan map[string]struct{} {
		require.Empty(t, name, "of all")
		watched <- ctx
		return nil
	}, nil)
	yes := func(context.Context) error { return nil }
	var open []*stream
	for i := range streamsAll {
		s, err := all.admit(flow.Caller{User: fmt.Sprintf("user%d", i)}, yes)
		require.NoError(t, err)
		open = append(open, s)
	}
	_, err := all.admit(flow.Caller{User: "one more"}, yes)
	require.ErrorIs(t, err, errManyStreams)
	require.Equal(t, http.StatusTooManyRequests, errManyStreams.Status())

	all.end(open[0])
	all.end(open[0]) // by its reader and by its writer
	_, err = all.admit(flow.Caller{User: "one more"}, yes)
	require.NoError(t, err)
	_, err = all.admit(flow.Caller{User: "two more"}, yes)
	require.ErrorIs(t, err, errManyStreams)

	ctx := <-watched
	require.NoError(t, ctx.Err())
	require.Empty(t, watched, "one watch for all")
	all.close()
	require.Error(t, ctx.Err())
	require.Empty(t, all.byUser)
	require.Zero(t, all.count)
}

// room is a set of streams, whose watch and events the test makes.
type room struct {
	*streams
	changes chan map[string]struct{}
	watches int
	event   atomic.Value // of events
}

// events makes an event for a caller.
type events func(ctx context.Context, c flow.Caller) ([]byte, error)

func newRoom() *room {
	r := &room{}
	r.event.Store(events(func(context.Context, flow.Caller) ([]byte, error) { return []byte("event\n"), nil }))
	r.streams = newStreams(prometheus.NewRegistry(), func(context.Context, string) <-chan map[string]struct{} {
		r.watches++
		r.changes = make(chan map[string]struct{})
		return r.changes
	}, func(ctx context.Context, c flow.Caller) ([]byte, error) { return r.event.Load().(events)(ctx, c) })
	return r
}

// join opens a stream and returns its reader's end, and how often its caller was
// asked for.
func (r *room) join(t *testing.T, user string) (net.Conn, *atomic.Int64) {
	t.Helper()
	asked := new(atomic.Int64)
	s, err := r.admit(flow.Caller{User: user}, func(context.Context) error { asked.Add(1); return nil })
	require.NoError(t, err)
	reader, writer := net.Pipe()
	r.open(s, writer, []byte("first\n"))
	require.Equal(t, "first\n", next(t, reader))
	synctest.Wait()
	return reader, asked
}

// change reports that records of users have changed.
func (r *room) change(users ...string) {
	changed := map[string]struct{}{}
	for _, user := range users {
		changed[user] = struct{}{}
	}
	r.changes <- changed
}

// finish ends all, and what follows the changes with it.
func (r *room) finish() {
	r.close()
	time.Sleep(2 * lookEvery)
	synctest.Wait()
}

func next(t *testing.T, reader net.Conn) string {
	t.Helper()
	line := make([]byte, 64)
	n, err := reader.Read(line)
	require.NoError(t, err)
	return string(line[:n])
}

// quiet reports that nothing comes for so long.
func quiet(t *testing.T, reader net.Conn, d time.Duration) {
	t.Helper()
	require.NoError(t, reader.SetReadDeadline(time.Now().Add(d)))
	_, err := reader.Read(make([]byte, 64))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, reader.SetReadDeadline(time.Time{}))
}

func TestStreamsTellOfChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRoom()
		ada, asked := r.join(t, "ada")
		eve, _ := r.join(t, "eve")
		r.change("ada")
		require.Equal(t, "event\n", next(t, ada))
		quiet(t, eve, time.Second)
		r.change("") // any may have changed
		require.Equal(t, "event\n", next(t, ada))
		require.Equal(t, "event\n", next(t, eve))
		r.change("ada", "eve", "nobody")
		require.Equal(t, "event\n", next(t, ada))
		require.Equal(t, "event\n", next(t, eve))
		require.Zero(t, asked.Load(), "the last yes counts")
		r.finish()
	})
}

func TestStreamsBeatEvery15Seconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRoom()
		ada, asked := r.join(t, "ada")
		for beat := 1; beat <= 3; beat++ {
			began := time.Now()
			require.Equal(t, "event\n", next(t, ada))
			require.InDelta(t, 15, time.Since(began).Seconds(), 1.01)
			require.EqualValues(t, beat, asked.Load())
			r.change("ada")
			require.Equal(t, "event\n", next(t, ada))
			synctest.Wait()
			require.EqualValues(t, beat, asked.Load(), "once for each beat")
		}
		r.finish()
	})
}

func TestStreamWhoseCallerMayNotReadAnyMoreEnds(t *testing.T) {
	t.Parallel()
	for name, refuse := range map[string]func(r *room, may *atomic.Pointer[apierror.Error]){
		"says the Hub": func(_ *room, may *atomic.Pointer[apierror.Error]) { may.Store(errNotFound) },
		"says the record": func(r *room, _ *atomic.Pointer[apierror.Error]) {
			r.event.Store(events(func(context.Context, flow.Caller) ([]byte, error) { return nil, errNotFound }))
		},
		"as nobody answers": func(r *room, _ *atomic.Pointer[apierror.Error]) {
			r.event.Store(events(func(ctx context.Context, _ flow.Caller) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() }))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRoom()
				var may atomic.Pointer[apierror.Error]
				s, err := r.admit(flow.Caller{User: "ada"}, func(context.Context) error {
					if refused := may.Load(); refused != nil {
						return refused
					}
					return nil
				})
				require.NoError(t, err)
				reader, writer := net.Pipe()
				r.open(s, writer, []byte("first\n"))
				next(t, reader)
				refuse(r, &may)
				began := time.Now()
				_, err = reader.Read(make([]byte, 1))
				require.ErrorIs(t, err, io.EOF)
				require.LessOrEqual(t, time.Since(began), 36*time.Second, "a beat, and the limit of an event")
				synctest.Wait()
				require.Zero(t, r.count)
				require.Empty(t, r.byUser)
				r.finish()
			})
		})
	}
}

// A change that comes while an event is written is told afterwards, once.
func TestStreamTellsWhatCameMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRoom()
		ada, _ := r.join(t, "ada")
		for range 3 { // the first is on its way to a reader who does not read
			r.change("ada")
			synctest.Wait()
		}
		require.Equal(t, "event\n", next(t, ada))
		require.Equal(t, "event\n", next(t, ada))
		quiet(t, ada, time.Second)
		r.finish()
	})
}

func TestStreamOfAReaderWhoTakesNothingEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRoom()
		ada, _ := r.join(t, "ada")
		r.change("ada")
		time.Sleep(writeLimit)
		synctest.Wait()
		require.Zero(t, r.count)
		_, err := ada.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
		r.finish()
	})
}

func TestStreamsWatchWhileThereAreStreams(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRoom()
		ada, _ := r.join(t, "ada")
		eve, _ := r.join(t, "eve")
		require.Equal(t, 1, r.watches)
		require.NoError(t, ada.Close())
		time.Sleep(2 * lookEvery)
		synctest.Wait()
		require.NotNil(t, r.stop, "eve is here still")
		require.Len(t, r.byUser, 1)
		require.NoError(t, eve.Close())
		time.Sleep(2 * lookEvery)
		synctest.Wait()
		require.Nil(t, r.stop)

		ada, _ = r.join(t, "ada")
		require.Equal(t, 2, r.watches)
		close(r.changes) // nobody tells of changes any more
		_, err := ada.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
		synctest.Wait()
		require.Nil(t, r.stop)
		r.join(t, "ada")
		require.Equal(t, 3, r.watches, "browsers come again")
		r.finish()
	})
}

// The service was stopped between the admission and the first event.
func TestStreamThatOpensTooLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRoom()
		s, err := r.admit(flow.Caller{User: "ada"}, nil)
		require.NoError(t, err)
		r.close()
		reader, writer := net.Pipe()
		r.open(s, writer, []byte("first\n"))
		_, err = reader.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
		_, err = r.admit(flow.Caller{User: "ada"}, nil)
		require.ErrorIs(t, err, errStopping)
		r.finish()
	})
}

func TestStreamsCountThemselves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRoom()
		gauge := func() float64 {
			var metric dto.Metric
			require.NoError(t, r.gauge.Write(&metric))
			return metric.GetGauge().GetValue()
		}
		ada, _ := r.join(t, "ada")
		r.join(t, "ada")
		require.Equal(t, 2.0, gauge())
		require.NoError(t, ada.Close())
		synctest.Wait()
		require.Equal(t, 1.0, gauge())
		r.finish()
		require.Zero(t, gauge())
	})
}
