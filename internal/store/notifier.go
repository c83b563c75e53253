package store

import (
	"context"
	"sync"
)

// Notifier tells the watchers within one process which records change. A
// backend's Watch is one of its Notifier. The zero value is ready.
type Notifier struct {
	mu      sync.Mutex
	closed  bool
	watches map[topic]map[chan KeySet]struct{}
}

// KeySet is a set of the keys of records.
type KeySet = map[string]struct{}

// topic is what a watch is about: the record of a key, or with the key "" every
// record of the kind.
type topic struct {
	kind Kind
	key  string
}

// Changed reports that the record of a key has changed, or with the key "" that
// any record of the kind may have. It waits for no watcher.
func (n *Notifier) Changed(kind Kind, key string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if key != "" {
		n.send(topic{kind, key}, key)
		n.send(topic{kind, ""}, key)
		return
	}
	for watched := range n.watches {
		if watched.kind == kind {
			n.send(watched, "")
		}
	}
}

// send adds a key to those that the watchers of a topic have not yet received.
func (n *Notifier) send(to topic, key string) {
	for changes := range n.watches[to] {
		keys := KeySet{}
		select {
		case keys = <-changes:
		default: // the last ones have been received
		}
		keys[key] = struct{}{}
		changes <- keys // there is room for one, and nobody else sends
	}
}

// Watch is as [Backend] says.
func (n *Notifier) Watch(ctx context.Context, kind Kind, key string) <-chan KeySet {
	n.mu.Lock()
	defer n.mu.Unlock()
	of, changes := topic{kind, key}, make(chan KeySet, 1)
	if n.closed {
		close(changes)
		return changes
	}

	if n.watches == nil {
		n.watches = map[topic]map[chan KeySet]struct{}{}
	}
	if n.watches[of] == nil {
		n.watches[of] = map[chan KeySet]struct{}{}
	}
	n.watches[of][changes] = struct{}{}
	context.AfterFunc(ctx, func() { n.end(of, changes) })
	return changes
}

// end closes a watch and forgets it.
func (n *Notifier) end(of topic, changes chan KeySet) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, open := n.watches[of][changes]; !open {
		return // Close was first
	}
	close(changes)
	delete(n.watches[of], changes)
	if len(n.watches[of]) == 0 {
		delete(n.watches, of)
	}
}

// Close ends every watch, and those that begin later at once.
func (n *Notifier) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	for _, watches := range n.watches {
		for changes := range watches {
			close(changes)
		}
	}
	n.watches = nil
}
