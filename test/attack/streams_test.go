package attack_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/hubtest/journey"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// TestStreamsOfOneUserDoNotEndThePod: a program of eve's opens as many streams
// as it can, past the proxy, as any pod of the cluster's network could that has
// a server's token. Beforehand 5,200 took 200 MB.
func TestStreamsOfOneUserDoNotEndThePod(t *testing.T) {
	t.Parallel()
	ctx := hubtest.Context(t)
	w := rig.NewWorld(t, rig.WorldOptions{Program: service, Hub: hubtest.Options{Users: []string{"ada", "eve"}}, Serve: (*rig.World).Run})

	t.Run("5200 streams", func(t *testing.T) {
		const streams = 5200
		eve := w.ServerToken(t, "eve", "")
		before, err := rig.Resident(w.Service.PID())
		require.NoError(t, err)
		statuses, open := map[int]int{}, []net.Conn{}
		for range streams {
			conn, status := stream(t, w.Hub.ServiceAddr, eve)
			open = append(open, conn)
			statuses[status]++
		}
		after, err := rig.Resident(w.Service.PID())
		require.NoError(t, err)
		t.Logf("%v; memory from %d to %d kB", statuses, before>>10, after>>10)
		require.Equal(t, map[int]int{http.StatusOK: 20, http.StatusTooManyRequests: streams - 20}, statuses)
		require.Less(t, after-before, int64(streams*8000))
		_, status := stream(t, w.Hub.ServiceAddr, w.ServerToken(t, "ada", ""))
		require.Equal(t, http.StatusOK, status, "somebody else's")
		for _, conn := range open {
			_ = conn.Close()
		}
	})

	ada := w.ServerToken(t, "ada", "")
	browser := hubtest.NewBrowser(t)
	statuses := follows(t, browser)
	w.OpenPage(t, browser, "ada")
	require.Equal(t, http.StatusOK, next(ctx, t, statuses))

	t.Run("a page that is loaded 30 times", func(t *testing.T) {
		for range 30 {
			require.NoError(t, browser.Run(ctx, chromedp.Reload(), chromedp.WaitReady(journey.State)))
			require.Equal(t, http.StatusOK, next(ctx, t, statuses))
		}
	})

	t.Run("a page that finds no room", func(t *testing.T) {
		require.NoError(t, browser.Run(ctx, chromedp.Navigate("about:blank")))
		var open []net.Conn
		for status := http.StatusOK; status == http.StatusOK; {
			var conn net.Conn
			conn, status = stream(t, w.Hub.ServiceAddr, ada)
			open = append(open, conn)
		}
		require.NoError(t, browser.Run(ctx, chromedp.Navigate(w.Hub.ServiceURL), chromedp.WaitReady(journey.State)))
		require.Equal(t, http.StatusTooManyRequests, next(ctx, t, statuses))
		// It follows by asking, and says nothing of all that.
		rig.Begin(t, w.Hub.Holder(ada))
		require.NoError(t, browser.Run(ctx, chromedp.WaitVisible(journey.Asking)))
		hidden, err := hubtest.Read(ctx, browser.Tab(), chromedp.Evaluate[bool](
			`["problem", "offline", "signed-out"].every((id) => document.getElementById(id).hidden)`))
		require.NoError(t, err)
		require.True(t, hidden)

		for _, conn := range open { // and comes back when there is room
			_ = conn.Close()
		}
		for next(ctx, t, statuses) != http.StatusOK {
		}
	})
}

// stream asks for an event stream, past the proxy, and returns the connection
// with the status of the answer.
func stream(t *testing.T, address, token string) (net.Conn, int) {
	t.Helper()
	at, err := url.Parse(address)
	require.NoError(t, err)
	conn, err := net.Dial("tcp", at.Host)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "GET /services/%s/api/flows/current/events HTTP/1.1\r\nHost: x\r\nAuthorization: token %s\r\n\r\n", hubtest.ServiceName, token)
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(hubtest.Patience)))
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	if answer.StatusCode != http.StatusOK {
		_, err = io.Copy(io.Discard, answer.Body)
		require.NoError(t, err)
	}
	return conn, answer.StatusCode
}

// follows reports the status of each stream that the pages of a tab open.
func follows(t *testing.T, browser *hubtest.Browser) <-chan int {
	t.Helper()
	statuses := make(chan int, 1000)
	require.NoError(t, chromedp.Listen(browser.Tab(), func(event any) {
		if answer, ok := event.(*network.EventResponseReceived); ok && strings.HasSuffix(answer.Response.URL, "/flows/current/events") {
			statuses <- int(answer.Response.Status)
		}
	}))
	return statuses
}

// next is what comes next.
func next(ctx context.Context, t *testing.T, statuses <-chan int) int {
	t.Helper()
	select {
	case status := <-statuses:
		return status
	case <-ctx.Done():
		require.FailNow(t, "the page opens no stream")
		return 0
	}
}
