package store

import (
	"context"
	"sync"
)

// Notifier tells the watchers within one process which records changed; what
// a backend's Watch is made of. The zero value is ready.
type Notifier struct {
	mu       sync.Mutex
	watchers map[Kind]map[*watcher]struct{}
}

// Changed reports a key of a kind to every watcher of the kind, without
// waiting for any of them.
func (n *Notifier) Changed(kind Kind, key string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for w := range n.watchers[kind] {
		w.add(key)
	}
}

// Watch returns the keys of the kind that change from now on, until ctx ends.
func (n *Notifier) Watch(ctx context.Context, kind Kind) <-chan string {
	w := &watcher{waiting: map[string]struct{}{}, wake: make(chan struct{}, 1)}
	n.mu.Lock()
	if n.watchers == nil {
		n.watchers = map[Kind]map[*watcher]struct{}{}
	}
	if n.watchers[kind] == nil {
		n.watchers[kind] = map[*watcher]struct{}{}
	}
	n.watchers[kind][w] = struct{}{}
	n.mu.Unlock()

	keys := make(chan string)
	go func() {
		defer close(keys)
		defer func() {
			n.mu.Lock()
			defer n.mu.Unlock()
			delete(n.watchers[kind], w)
		}()
		w.send(ctx, keys)
	}()
	return keys
}

// watcher queues keys for one reader, each at most once, so that a slow reader
// costs no more than one entry for each key there is.
type watcher struct {
	mu      sync.Mutex
	queue   []string
	waiting map[string]struct{}
	wake    chan struct{}
}

func (w *watcher) add(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.waiting[key]; ok {
		return
	}
	w.waiting[key] = struct{}{}
	w.queue = append(w.queue, key)
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// next takes the first key; from then on, a change of it counts again.
func (w *watcher) next() (key string, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		return "", false
	}
	key, w.queue = w.queue[0], w.queue[1:]
	delete(w.waiting, key)
	return key, true
}

func (w *watcher) send(ctx context.Context, keys chan<- string) {
	for {
		key, ok := w.next()
		if !ok {
			select {
			case <-w.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		select {
		case keys <- key:
		case <-ctx.Done():
			return
		}
	}
}
