package hubtest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
)

// Log keeps everything a program printed. It is safe for many goroutines.
type Log struct {
	echo io.Writer // may be nil

	mu      sync.Mutex
	buf     bytes.Buffer
	changed chan struct{} // closed and replaced at each write
}

func newLog(echo io.Writer) *Log {
	return &Log{echo: echo, changed: make(chan struct{})}
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf.Write(p)
	close(l.changed)
	l.changed = make(chan struct{})
	if l.echo != nil {
		return l.echo.Write(p)
	}
	return len(p), nil
}

// Bytes is a copy of everything so far.
func (l *Log) Bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.buf.Bytes())
}

// Tail is the last lines, for an error message.
func (l *Log) Tail(lines int) string {
	all := bytes.Split(bytes.TrimRight(l.Bytes(), "\n"), []byte("\n"))
	if len(all) > lines {
		all = all[len(all)-lines:]
	}
	return string(bytes.Join(all, []byte("\n")))
}

// Wait returns when text has been printed, or an error when ctx ends or ended
// is closed first.
func (l *Log) Wait(ctx context.Context, text string, ended <-chan struct{}) error {
	for {
		l.mu.Lock()
		found, changed := bytes.Contains(l.buf.Bytes(), []byte(text)), l.changed
		l.mu.Unlock()
		if found {
			return nil
		}
		select {
		case <-changed:
		case <-ended:
			return fmt.Errorf("it ended before it printed %q", text)
		case <-ctx.Done():
			return fmt.Errorf("waiting for it to print %q: %w", text, ctx.Err())
		}
	}
}
