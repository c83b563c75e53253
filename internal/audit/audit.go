package audit

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

// MostOfOne is how many events of one user or bot a [History] remembers: who makes
// events without end pushes nobody else's out.
const MostOfOne = 200

// History remembers events for administrators.
type History interface {
	Add(ctx context.Context, event Event) error
	// Recent returns up to limit events, the newest first.
	Recent(ctx context.Context, limit int) ([]Event, error)
}

// addLimit bounds the remembering of one event.
const addLimit = 5 * time.Second

// Log is a [Recorder]. Safe for concurrent use.
type Log struct {
	history History
	logger  *slog.Logger

	mu  sync.Mutex
	out io.Writer
}

var (
	_ Recorder = (*Log)(nil)
	_ Recorder = (*Log)(nil)
)

// New returns a Log that writes lines to out and remembers events in history.
// The logger hears of events that could not be kept.
func New(out io.Writer, history History, logger *slog.Logger) *Log {
	return &Log{out: out, history: history, logger: logger}
}

// line is an event as it is written. "audit": true tells it from log messages
// where both end up in one stream.
type line struct {
	Audit bool `json:"audit"`
	Event
}

// Record writes and remembers an event, cut to 4 KiB. An event that cannot be written is
// logged as such, with what it says.
func (l *Log) Record(ctx context.Context, event Event) {
	_ = l.Keep(ctx, event) // it is logged, and what happened has happened
}

// Keep is Record for whoever does nothing without its line: the error says that
// there is none. That the event could not be remembered is no error, since the
// line is the record.
func (l *Log) Keep(ctx context.Context, event Event) error {
	event.Time = event.Time.UTC()
	event, encoded, written := fit(event)
	if written == nil {
		written = l.write(encoded)
	}
	if written != nil {
		l.logger.ErrorContext(ctx, "an audit event could not be written", "error", written, "event", event)
	}
	// What has happened is remembered whether or not somebody still waits.
	adding, cancel := context.WithTimeout(context.WithoutCancel(ctx), addLimit)
	defer cancel()
	if err := l.history.Add(adding, event); err != nil {
		l.logger.ErrorContext(ctx, "an audit event could not be remembered", "error", err, "event", event)
	}
	return written
}

// write makes one Write of one line, so that lines of several writers to the
// same stream do not mix.
func (l *Log) write(encoded []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := l.out.Write(append(encoded, '\n'))
	return err
}
