package store

import (
	"context"
	"sync"
)

// fanout shares one watch of a backend among all watchers of a process, each
// of which wants to hear of one key: a page per user would otherwise be a
// connection to Redis per user.
type fanout struct {
	backend Backend
	kind    Kind

	mu sync.Mutex
	// current is nil while nobody watches.
	current *sharedWatch
}

// sharedWatch is one watch of the backend and those who listen to it.
type sharedWatch struct {
	stop      context.CancelFunc
	listeners map[string]map[chan struct{}]struct{}
}

func (f *fanout) watch(ctx context.Context, key string) (<-chan struct{}, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.current == nil {
		if err := f.start(); err != nil {
			return nil, err
		}
	}
	shared, changes := f.current, make(chan struct{}, 1)
	if shared.listeners[key] == nil {
		shared.listeners[key] = map[chan struct{}]struct{}{}
	}
	shared.listeners[key][changes] = struct{}{}
	context.AfterFunc(ctx, func() { f.leave(shared, key, changes) })
	return changes, nil
}

// start begins the backend's watch, which outlives the first listener and so
// has nothing of his.
func (f *fanout) start() error {
	ctx, stop := context.WithCancel(context.Background())
	keys, err := f.backend.Watch(ctx, f.kind)
	if err != nil {
		stop()
		return err
	}
	shared := &sharedWatch{stop: stop, listeners: map[string]map[chan struct{}]struct{}{}}
	f.current = shared
	go func() {
		for key := range keys {
			f.tell(shared, key)
		}
		f.end(shared)
	}()
	return nil
}

// tell passes a key on; the empty one concerns everybody.
func (f *fanout) tell(shared *sharedWatch, key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if key != "" {
		signal(shared.listeners[key])
		return
	}
	for _, listeners := range shared.listeners {
		signal(listeners)
	}
}

func signal(listeners map[chan struct{}]struct{}) {
	for changes := range listeners {
		select {
		case changes <- struct{}{}:
		default: // one report is waiting already
		}
	}
}

func (f *fanout) leave(shared *sharedWatch, key string, changes chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := shared.listeners[key][changes]; !ok {
		return // closed by end
	}
	close(changes)
	delete(shared.listeners[key], changes)
	if len(shared.listeners[key]) == 0 {
		delete(shared.listeners, key)
	}
	if len(shared.listeners) == 0 {
		f.drop(shared)
	}
}

// end closes what still listens once the backend has closed its watch.
func (f *fanout) end(shared *sharedWatch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, listeners := range shared.listeners {
		for changes := range listeners {
			close(changes)
		}
	}
	clear(shared.listeners)
	f.drop(shared)
}

func (f *fanout) drop(shared *sharedWatch) {
	shared.stop()
	if f.current == shared {
		f.current = nil
	}
}
