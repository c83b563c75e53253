package client_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/client"
)

func once(t *testing.T, transport *http.Transport) *http.Client {
	t.Helper()
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: client.Once{Transport: transport}}
}

func TestOnceAsksAndAnswers(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		question, _ := io.ReadAll(r.Body)
		w.Header().Set("Close", map[bool]string{true: "asked for"}[r.Close])
		_, _ = io.WriteString(w, r.Method+" "+r.URL.RequestURI()+" "+string(question))
	}))
	t.Cleanup(server.Close)
	answer, err := once(t, &http.Transport{}).Post(server.URL+"/a?b=c", "text/plain", strings.NewReader("question"))
	require.NoError(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, "POST /a?b=c question", string(text))
	require.Equal(t, "asked for", answer.Header.Get("Close"))
}

func TestOnceReadsAStreamAsItComes(t *testing.T) {
	t.Parallel()
	heard := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "first\n")
		w.(http.Flusher).Flush()
		select {
		case <-heard:
			_, _ = io.WriteString(w, "second\n")
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(server.Close)
	answer, err := once(t, &http.Transport{}).Get(server.URL)
	require.NoError(t, err)
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	require.True(t, lines.Scan())
	require.Equal(t, "first", lines.Text())
	close(heard)
	require.True(t, lines.Scan())
	require.Equal(t, "second", lines.Text())
	require.False(t, lines.Scan())
	require.NoError(t, lines.Err())
}

func TestOnceEndsWithItsContext(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	over := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			w.(http.Flusher).Flush()
		}
		asked <- struct{}{}
		<-over
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(over) })
	ask := func(path string) (answer *http.Response, cancel func(), err error) {
		ctx, cancel := context.WithCancel(t.Context())
		t.Cleanup(cancel)
		if path == "/head" {
			go func() { <-asked; cancel() }()
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+path, nil)
		require.NoError(t, err)
		answer, err = once(t, &http.Transport{}).Do(request)
		return answer, cancel, err
	}
	_, _, err := ask("/head")
	require.ErrorIs(t, err, context.Canceled)

	answer, cancel, err := ask("/body")
	require.NoError(t, err)
	defer answer.Body.Close()
	<-asked
	cancel()
	_, err = io.ReadAll(answer.Body)
	require.Error(t, err)
}

func TestOnceLeavesTLSAndProxiesToTheLibrary(t *testing.T) {
	t.Parallel()
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "over TLS") }))
	t.Cleanup(secure.Close)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "proxied "+r.RequestURI) }))
	t.Cleanup(proxy.Close)
	through, err := url.Parse(proxy.URL)
	require.NoError(t, err)
	for _, test := range []struct {
		address, answer string
		transport       *http.Transport
	}{
		{secure.URL, "over TLS", secure.Client().Transport.(*http.Transport).Clone()},
		{"http://service.invalid/x", "proxied http://service.invalid/x", &http.Transport{Proxy: http.ProxyURL(through)}},
	} {
		answer, err := once(t, test.transport).Get(test.address)
		require.NoError(t, err)
		text, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, test.answer, string(text))
	}
}

func TestOnceSaysThatNobodyListens(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(nil)
	server.Close()
	_, err := once(t, &http.Transport{}).Get(server.URL)
	require.ErrorContains(t, err, "connection refused")
}
