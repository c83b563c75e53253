package crash_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/store"
)

// marks are the points that the service passes. A point is named by what
// happens there and how often that has happened in this process.
type marks struct {
	deadly string    // the point to die at; empty: none
	trace  io.Writer // gets one line for each point

	mu     sync.Mutex
	passed map[string]int
}

func (m *marks) pass(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := fmt.Sprintf(format, args...)
	m.passed[name]++
	point := fmt.Sprintf("%s #%d", name, m.passed[name])
	_, _ = fmt.Fprintln(m.trace, point)
	if point == m.deadly {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // nothing more happens in this process
	}
}

// transport marks each request and what follows an upgrade to a websocket.
type transport struct {
	*marks
	hosts []string // GitHub's and the Hub's; any other is a user's server
	user  string
}

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	name := t.name(r)
	t.pass("%s before", name)
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	t.pass("%s after", name)
	if stream, ok := response.Body.(io.ReadWriteCloser); ok && response.StatusCode == http.StatusSwitchingProtocols {
		response.Body = conversation{stream, t.marks}
	}
	return response, nil
}

var number = regexp.MustCompile(`/\d+\b`)

// name of a request is the same whoever the user is and whatever numbers were
// given.
func (t transport) name(r *http.Request) string {
	whom := []string{"GitHub", "Hub", "server"}
	at := 0
	for at < len(t.hosts) && r.URL.Host != t.hosts[at] {
		at++
	}
	path := strings.ReplaceAll(r.URL.Path, "/"+t.user, "/USER")
	return whom[at] + " " + r.Method + " " + number.ReplaceAllString(path, "/N")
}

// conversation marks the reads and writes of a websocket.
type conversation struct {
	io.ReadWriteCloser
	*marks
}

func (c conversation) Write(p []byte) (int, error) {
	c.pass("websocket write before")
	n, err := c.ReadWriteCloser.Write(p)
	c.pass("websocket write after")
	return n, err
}

func (c conversation) Read(p []byte) (int, error) {
	n, err := c.ReadWriteCloser.Read(p)
	c.pass("websocket read after")
	return n, err
}

// backend marks what changes the store. A claim that finds nothing changes
// nothing.
type backend struct {
	store.Backend
	*marks
}

func (b backend) Put(ctx context.Context, record store.Record) (uint64, error) {
	b.pass("store put %s before", record.Kind)
	version, err := b.Backend.Put(ctx, record)
	b.pass("store put %s after", record.Kind)
	return version, err
}

func (b backend) Delete(ctx context.Context, kind store.Kind, key string, version uint64) error {
	b.pass("store delete %s before", kind)
	err := b.Backend.Delete(ctx, kind, key, version)
	b.pass("store delete %s after", kind)
	return err
}

func (b backend) Claim(ctx context.Context, kind store.Kind, hold time.Duration, limit int) ([]store.Record, error) {
	claimed, err := b.Backend.Claim(ctx, kind, hold, limit)
	if len(claimed) > 0 {
		b.pass("store claim %s after", kind)
	}
	return claimed, err
}
