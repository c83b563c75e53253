package app_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/app"
)

// patience is how long a connection is watched that ought to be closed by then.
const patience = 10 * time.Second

// began is a service that stops with the test; adjust is called before it
// listens.
func began(t *testing.T, adjust func(*http.Server)) *app.App {
	t.Helper()
	service := build(t, &slowHub{}, app.Dependencies{Clock: time.Now, Registry: prometheus.NewRegistry()}, ownToken)
	adjust(service.Web())
	require.NoError(t, service.Start(t.Context()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, service.Stop(ctx))
	})
	return service
}

func dial(t *testing.T, service *app.App) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", service.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestStartCutsASlowClientOff(t *testing.T) {
	t.Parallel()
	const host = " HTTP/1.1\r\nHost: service\r\n"
	headers := func(s *http.Server) *time.Duration { return &s.ReadHeaderTimeout }
	for name, client := range map[string]struct {
		says  string
		drips bool
		limit func(*http.Server) *time.Duration
	}{
		"that never says anything":            {"", false, headers},
		"whose headers come a byte at a time": {"GET " + prefix + "healthz" + host + "X-Slow: ", true, headers},
		"whose body comes a byte at a time": {"POST " + prefix + "api/flows" + host + "Authorization: token ada\r\nContent-Length: 60000\r\n\r\n", true,
			func(s *http.Server) *time.Duration { return &s.ReadTimeout }},
		"that keeps the line after its answer": {"GET " + prefix + "healthz" + host + "\r\n", false,
			func(s *http.Server) *time.Duration { return &s.IdleTimeout }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// A part of what is set: a limit that is not set stays none.
			service := began(t, func(s *http.Server) { *client.limit(s) /= 100 })
			conn := dial(t, service)
			_, err := io.WriteString(conn, client.says)
			require.NoError(t, err)
			if client.drips {
				drip(t, conn)
			}
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
			_, err = io.Copy(io.Discard, conn)
			require.False(t, errors.Is(err, os.ErrDeadlineExceeded), "it is still open: %v", err)
		})
	}
}

func TestStartCutsAClientOffThatReadsNoneOfItsAnswers(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{}, 1)
	service := began(t, func(s *http.Server) {
		s.WriteTimeout /= 100
		s.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				closed <- struct{}{}
			}
		}
	})
	conn := dial(t, service)
	go func() { // until nobody takes them any more
		for err := error(nil); err == nil; {
			_, err = io.WriteString(conn, "GET "+prefix+"api/openapi.yaml HTTP/1.1\r\nHost: service\r\n\r\n")
		}
	}()
	select {
	case <-closed:
	case <-time.After(patience):
		require.Fail(t, "it is still open")
	}
}

// drip writes a byte every few milliseconds until nobody takes them any more.
func drip(t *testing.T, conn net.Conn) {
	every := time.NewTicker(5 * time.Millisecond)
	t.Cleanup(every.Stop)
	go func() {
		for range every.C {
			if _, err := io.WriteString(conn, "x"); err != nil {
				return
			}
		}
	}()
}

func TestStartRefusesHugeHeaders(t *testing.T) {
	t.Parallel()
	service := began(t, func(*http.Server) {})
	for size, status := range map[int]int{120 << 10: http.StatusOK, 160 << 10: http.StatusRequestHeaderFieldsTooLarge} {
		conn := dial(t, service)
		go func() { // it may be cut off before all is said
			_, _ = fmt.Fprintf(conn, "GET %shealthz HTTP/1.1\r\nHost: service\r\nX-Huge: %s\r\n\r\n", prefix, strings.Repeat("x", size))
		}()
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err, "%d bytes", size)
		require.Equal(t, status, response.StatusCode, "%d bytes", size)
		require.NoError(t, response.Body.Close())
	}
}

func TestStartAnswersHealthWhileSlowClientsHoldTheirConnections(t *testing.T) {
	t.Parallel()
	const slow = 200
	taken, ended := make(chan struct{}, slow+1), atomic.Int32{}
	service := began(t, func(s *http.Server) {
		s.ConnState = func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				taken <- struct{}{}
			case http.StateClosed:
				ended.Add(1)
			}
		}
	})
	for range slow {
		_, err := io.WriteString(dial(t, service), "GET "+prefix)
		require.NoError(t, err)
	}
	for range slow {
		<-taken
	}
	got := <-ask(at(service) + "healthz")
	require.NoError(t, got.err)
	require.Equal(t, http.StatusOK, got.status)
	require.Zero(t, ended.Load(), "it was answered beside them, not after them")
}

func TestStartTellsThatAListenerIsLost(t *testing.T) {
	t.Parallel()
	service, _ := start(t, &slowHub{})
	require.NoError(t, service.LoseListener())
	require.ErrorIs(t, <-service.Failed(), net.ErrClosed)
	require.NoError(t, service.Stop(t.Context()))

	service, _ = start(t, &slowHub{})
	require.NoError(t, service.Stop(t.Context()))
	require.Empty(t, service.Failed(), "a stop is no failure")
}
