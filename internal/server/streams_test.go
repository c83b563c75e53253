package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/server"
)

const eventsPath = prefix + "api/flows/current/events"

// hijacked is an answer whose connection is one end of a pipe, which can be used
// in a bubble.
type hijacked struct {
	*httptest.ResponseRecorder
	conn net.Conn
}

func (h hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) { return h.conn, nil, nil }

func newConn() (net.Conn, hijacked) {
	reader, writer := net.Pipe()
	return reader, hijacked{httptest.NewRecorder(), writer}
}

// follow opens a stream over a connection of its own, and returns it with the
// status of the answer.
func (f *fixture) follow(token string) (net.Conn, *http.Response) {
	conn, err := net.Dial("tcp", f.service.Listener.Addr().String())
	require.NoError(f.t, err)
	f.t.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: token %s\r\n\r\n", eventsPath, token)
	require.NoError(f.t, err)
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(f.t, err)
	return conn, answer
}

func TestStreamsOfOneUserAreBounded(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	var open []net.Conn
	for range 20 {
		conn, answer := f.follow("server-ada")
		require.Equal(t, http.StatusOK, answer.StatusCode)
		open = append(open, conn)
	}
	_, answer := f.follow("server-ada")
	require.Equal(t, http.StatusTooManyRequests, answer.StatusCode)
	require.NotEmpty(t, answer.Header.Get("Retry-After"))
	body := read(t, answer)
	require.Contains(t, body, `"too_many_streams"`)
	_, answer = f.follow("server-eve")
	require.Equal(t, http.StatusOK, answer.StatusCode, "somebody else's")

	require.NoError(t, open[7].Close())
	require.Eventually(t, func() bool { // it is noticed without a write
		_, answer := f.follow("server-ada")
		return answer.StatusCode == http.StatusOK
	}, time.Minute, time.Millisecond)
}

func TestStreamThatIsReopenedAgainAndAgainIsNeverRefused(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	for range 100 {
		conn, answer := f.follow("server-ada")
		require.Equal(t, http.StatusOK, answer.StatusCode)
		require.NoError(t, conn.Close())
	}
}

func TestStreamHeadAsGetDoesNotHoldTheConnection(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	conn, err := net.Dial("tcp", f.service.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	from := bufio.NewReader(conn)
	for _, path := range []string{eventsPath, eventsPath, prefix + "healthz"} {
		_, err = fmt.Fprintf(conn, "HEAD %s HTTP/1.1\r\nHost: x\r\nAuthorization: token server-ada\r\n\r\n", path)
		require.NoError(t, err)
		answer, err := http.ReadResponse(from, &http.Request{Method: http.MethodHead})
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, answer.StatusCode)
		if path == eventsPath {
			require.Equal(t, "text/event-stream", answer.Header.Get("Content-Type"))
		}
	}
}

func TestStreamCarriesTheSecurityHeadersAndEndsWithTheService(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	_, answer := f.follow("server-ada")
	require.Equal(t, "nosniff", answer.Header.Get("X-Content-Type-Options"))
	require.Equal(t, "no-store", answer.Header.Get("Cache-Control"))
	require.True(t, answer.Close)
	f.server.EndStreams()
	said, err := io.ReadAll(answer.Body)
	require.NoError(t, err, "it ends as streams do")
	require.Contains(t, string(said), "data: {}")
	_, answer = f.follow("server-ada")
	require.Equal(t, http.StatusServiceUnavailable, answer.StatusCode)
}

// TestStreamOfASlowReaderHoldsUpNobody: one reader takes nothing, and the other
// ones of the same user hear of a change at once, and go on after the slow one
// was given up.
func TestStreamOfASlowReaderHoldsUpNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := setUp(t)
		f.service.Close()
		slow, answer := newConn() // a pipe holds nothing: the first write waits
		f.handler.ServeHTTP(answer, eventsRequest(t))
		quick, answer := newConn()
		f.handler.ServeHTTP(answer, eventsRequest(t))
		lines := make(chan string, 1000)
		go func() {
			for from := bufio.NewScanner(quick); from.Scan(); {
				if data, found := strings.CutPrefix(from.Text(), "data: "); found {
					lines <- data
				}
			}
		}()
		hears := func(what string) {
			for line := range lines { // other changes of the record tell the same once more
				if strings.Contains(line, what) {
					return
				}
			}
		}
		hears("{}")
		began := time.Now()
		require.Equal(t, http.StatusCreated, f.ask(http.MethodPost, "api/flows"))
		hears(`"state":"pending"`)
		require.Less(t, time.Since(began), 5*time.Second)

		time.Sleep(time.Minute)
		_, err := slow.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF, "it was given up")
		require.Equal(t, http.StatusOK, f.ask(http.MethodDelete, "api/flows/current"))
		hears(`"state":"cancelled"`)
		_ = quick.Close()
	})
}

func eventsRequest(t *testing.T) *http.Request {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, eventsPath, nil)
	r.Header.Set("Authorization", "token server-ada")
	return r
}

// ask is a request of ada's server without a network.
func (f *fixture) ask(method, path string) int {
	r := httptest.NewRequestWithContext(f.t.Context(), method, prefix+path, nil)
	r.Header.Set("Authorization", "token server-ada")
	answer := httptest.NewRecorder()
	f.handler.ServeHTTP(answer, r)
	return answer.Code
}

// TestStreamThatIsIdleTakesLessThan8kB counts the readers' ends in, which are in
// this process, too. It runs beside no other test.
func TestStreamThatIsIdleTakesLessThan8kB(t *testing.T) {
	const users, each, limit = 100, 20, 8000
	f := setUp(t, crowd(users))
	memory := func() int64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.GC() // the second one frees the stacks that the first one shrank
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc + stats.StackInuse)
	}
	open := make([]net.Conn, 0, users*each)
	before := memory()
	for i := range users * each {
		open = append(open, f.idle(fmt.Sprintf("crowd-%d", i%users)))
	}
	took := (memory() - before) / int64(len(open))
	t.Logf("an idle stream takes %d bytes", took)
	require.Less(t, took, int64(limit))
	for _, conn := range open {
		require.NoError(t, conn.Close())
	}
}

// idle opens a stream and returns it when its first event has come; nothing of
// what was read is kept.
func (f *fixture) idle(token string) net.Conn {
	conn, err := net.Dial("tcp", f.service.Listener.Addr().String())
	require.NoError(f.t, err)
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nCookie: other=%s\r\nAuthorization: token %s\r\n\r\n",
		eventsPath, strings.Repeat("x", 1000), token)
	require.NoError(f.t, err)
	said, part := "", make([]byte, 4096)
	for !strings.Contains(said, "data: ") {
		n, err := conn.Read(part)
		require.NoError(f.t, err, said)
		said += string(part[:n])
	}
	require.Contains(f.t, said, "200 OK")
	return conn
}

// crowd are Hub users with a token each.
func crowd(n int) func(*fixture, *server.Options) {
	return func(f *fixture, _ *server.Options) {
		for i := range n {
			f.hubUser[fmt.Sprintf("crowd-%d", i)] = hub.User{Kind: "user", Name: fmt.Sprintf("user%d", i), Created: created, Scopes: []string{access}}
		}
	}
}
