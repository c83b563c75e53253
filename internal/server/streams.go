package server

import (
	"context"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ghscoped/ghscoped-service/internal/flow"
)

const (
	// streamsEach bounds the open streams of one user, who has a page or a
	// terminal for each; streamsAll those of a process, for its memory: each
	// takes less than 8 kB.
	streamsEach = 20
	streamsAll  = 5000
	// heartbeat keeps proxies from closing a quiet stream, and is how soon it is
	// noticed that the Hub's cached answer has expired.
	heartbeat = 15 * time.Second
	// lookEvery is how often streams are looked through for those whose heartbeat
	// is due.
	lookEvery = time.Second
	// writeLimit is how long a slow reader may hold up its own stream.
	writeLimit = 10 * time.Second
	// eventLimit bounds what it takes to make an event: the Hub and the store.
	eventLimit = 20 * time.Second
)

// streams are the open event streams of a process.
//
// net/http holds about 40 kB for each request under way: two goroutines and
// their buffers. So a stream's connection is taken away from it, and has one
// goroutine here, which waits until its reader leaves. Events are written by
// goroutines that end with the event, one for each stream, so that a slow reader
// holds up nobody else. One more goroutine, while there are streams, hears of
// changes and keeps the heartbeats.
type streams struct {
	// watch is that of [flow.Engine].
	watch watchFunc
	// event is what to tell a caller now.
	event func(ctx context.Context, c flow.Caller) ([]byte, error)
	gauge prometheus.Gauge

	mu     sync.Mutex
	ended  bool
	count  int
	byUser map[string][]*stream
	stop   context.CancelFunc // of the watch; nil: nobody watches
}

// stream is one reader. What is not set at first is guarded by streams.mu.
type stream struct {
	caller flow.Caller
	// may says whether the reader is still allowed to read.
	may func(ctx context.Context) error

	conn net.Conn  // nil until it is taken from net/http
	beat time.Time // when the next heartbeat is due
	// writing: a goroutine makes an event. more: there is something to tell that
	// came meanwhile. ask: the next event needs another answer of may.
	writing, more, ask bool
	gone               bool
}

// watchFunc reports the names of users whose records change, of all with the name "",
// until ctx ends; "" among them: any may have changed.
type watchFunc = func(ctx context.Context, name string) <-chan map[string]struct{}

func newStreams(registry prometheus.Registerer, watch watchFunc,
	event func(context.Context, flow.Caller) ([]byte, error)) *streams {
	gauge := prometheus.NewGauge(prometheus.GaugeOpts{Name: "ghscoped_event_streams", Help: "Event streams that are open now."})
	registry.MustRegister(gauge)
	return &streams{watch: watch, event: event, gauge: gauge, byUser: map[string][]*stream{}}
}

// admit makes room for one more stream of a caller, which begins with [streams.open],
// or is given up with [streams.end].
func (a *streams) admit(c flow.Caller, may func(context.Context) error) (*stream, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.ended:
		return nil, errStopping
	case len(a.byUser[c.User]) >= streamsEach, a.count >= streamsAll:
		return nil, errManyStreams
	}
	if a.stop == nil {
		a.start()
	}
	s := &stream{caller: c, may: may, beat: time.Now().Add(heartbeat), writing: true}
	a.byUser[c.User] = append(a.byUser[c.User], s)
	a.count++
	a.gauge.Inc()
	return s, nil
}

// start begins to hear of changes.
func (a *streams) start() {
	ctx, stop := context.WithCancel(context.Background())
	a.stop = stop
	go a.follow(a.watch(ctx, ""))
}

// open writes to the connection what a stream begins with: its head and its
// first event.
func (a *streams) open(s *stream, conn net.Conn, first []byte) {
	a.mu.Lock()
	s.conn = conn
	gone := s.gone // the service was stopped meanwhile
	a.mu.Unlock()
	if gone {
		_ = conn.Close()
		return
	}
	go a.read(s)
	go a.write(s, first)
}

// read waits until the reader leaves; there is nothing that one could say.
func (a *streams) read(s *stream) {
	var one [1]byte
	_, _ = s.conn.Read(one[:])
	a.end(s)
}

// write tells what there is to tell, after first if it is set, and ends.
func (a *streams) write(s *stream, first []byte) {
	for more := true; more; first = nil {
		if err := a.tell(s, first); err != nil {
			a.end(s) // the browser has left, or comes again by itself and is told then
			return
		}
		a.mu.Lock()
		more, s.writing, s.more = s.more, s.more, false
		a.mu.Unlock()
	}
}

// tell writes first, or an event of its own if first is not set.
func (a *streams) tell(s *stream, first []byte) error {
	what := first
	if what == nil {
		var err error
		if what, err = a.next(s); err != nil {
			return err
		}
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
		return err
	}
	_, err := s.conn.Write(what)
	return err
}

// next makes a stream's event, if its caller may still read.
func (a *streams) next(s *stream) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), eventLimit)
	defer cancel()
	a.mu.Lock()
	ask := s.ask
	s.ask = false
	a.mu.Unlock()
	if ask {
		if err := s.may(ctx); err != nil {
			return nil, err
		}
	}
	return a.event(ctx, s.caller)
}

// follow tells streams of changes and of heartbeats, until there is no stream
// any more, or nobody tells of changes.
func (a *streams) follow(changes <-chan map[string]struct{}) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case users, open := <-changes:
			if !open {
				a.endAll()
				return
			}
			a.changed(users)
		case now := <-look.C:
			if !a.beats(now) {
				return
			}
		}
	}
}

func (a *streams) changed(users map[string]struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, any := users[""]; !any {
		for user := range users {
			for _, s := range a.byUser[user] {
				a.wake(s)
			}
		}
		return
	}
	for _, all := range a.byUser {
		for _, s := range all {
			a.wake(s)
		}
	}
}

// beats sends the heartbeats that are due. False: there are no streams, and the
// watch has ended.
func (a *streams) beats(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.count == 0 {
		a.unwatch()
		return false
	}
	for _, all := range a.byUser {
		for _, s := range all {
			if !now.Before(s.beat) {
				s.beat, s.ask = now.Add(heartbeat), true
				a.wake(s)
			}
		}
	}
	return true
}

// wake has a stream told what is new; a.mu is held.
func (a *streams) wake(s *stream) {
	if s.writing {
		s.more = true
		return
	}
	s.writing = true
	go a.write(s, nil)
}

// end closes a stream and forgets it.
func (a *streams) end(s *stream) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.drop(s)
}

func (a *streams) drop(s *stream) {
	if s.gone {
		return
	}
	s.gone = true
	left := slices.DeleteFunc(a.byUser[s.caller.User], func(other *stream) bool { return other == s })
	if a.byUser[s.caller.User] = left; len(left) == 0 {
		delete(a.byUser, s.caller.User)
	}
	a.count--
	a.gauge.Dec()
	if s.conn != nil {
		go s.conn.Close() // over TLS it says goodbye, and waits for a slow reader
	}
}

// endAll ends what is open; browsers come again by themselves.
func (a *streams) endAll() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.unwatch()
	for _, all := range a.byUser {
		for _, s := range slices.Clone(all) {
			a.drop(s)
		}
	}
}

func (a *streams) unwatch() {
	if a.stop != nil {
		a.stop()
		a.stop = nil
	}
}

// close ends what is open, and admits nothing more.
func (a *streams) close() {
	a.mu.Lock()
	a.ended = true
	a.mu.Unlock()
	a.endAll()
}
