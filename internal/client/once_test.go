package client_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
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

func TestOnceUsesAProxyForTLSOnly(t *testing.T) {
	t.Parallel()
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "answered") })
	plain, secure := httptest.NewServer(answer), httptest.NewTLSServer(answer)
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	var seen atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		seen.Add(1)
		w.WriteHeader(http.StatusBadGateway)
	}))
	t.Cleanup(proxy.Close)
	through, err := url.Parse(proxy.URL)
	require.NoError(t, err)
	for name, test := range map[string]struct {
		address string
		proxied bool
	}{
		"plain HTTP":                          {plain.URL, false},
		"plain HTTP, a name of other letters": {strings.Replace(plain.URL, "127.0.0.1", "sérvice.test", 1), false},
		"TLS":                                 {secure.URL, true},
	} {
		t.Run(name, func(t *testing.T) {
			before := seen.Load()
			transport := secure.Client().Transport.(*http.Transport).Clone()
			transport.Proxy = http.ProxyURL(through)
			transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				_, port, _ := net.SplitHostPort(address)
				return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
			}
			answer, err := once(t, transport).Get(test.address)
			if test.proxied {
				require.Error(t, err)
				require.Equal(t, before+1, seen.Load())
				return
			}
			require.NoError(t, err)
			require.NoError(t, answer.Body.Close())
			require.Equal(t, before, seen.Load())
		})
	}
	direct := secure.Client().Transport.(*http.Transport).Clone()
	told, err := once(t, direct).Get(secure.URL)
	require.NoError(t, err)
	require.NoError(t, told.Body.Close())
}

// answers is the address of a server that reads the head of one request and then
// writes an answer, whatever else comes.
func answers(t *testing.T, write func(io.Writer)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		from := bufio.NewReader(conn)
		for line := "."; line != "\r\n" && err == nil; {
			line, err = from.ReadString('\n')
		}
		write(conn)
	}()
	return "http://" + listener.Addr().String()
}

func TestOnceBoundsTheHeadOfAnAnswerAndNotItsBody(t *testing.T) {
	t.Parallel()
	const much = 3 << 20
	const good = "HTTP/1.1 200 OK\r\nConnection: close\r\n"
	for name, test := range map[string]struct {
		answer string
		read   int
	}{
		"a header that does not end": {good + "Long: " + strings.Repeat("x", much) + "\r\n\r\nbody", 0},
		"announcements without end":  {strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", much/28) + good + "\r\nbody", 0},
		"a large body":               {good + "\r\n" + strings.Repeat("x", much), much},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer, err := once(t, &http.Transport{}).Get(answers(t, func(w io.Writer) { _, _ = io.WriteString(w, test.answer) }))
			if test.read == 0 {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			defer answer.Body.Close()
			body, err := io.ReadAll(answer.Body)
			require.NoError(t, err)
			require.Len(t, body, test.read)
		})
	}
}

func TestOnceReadsAnAnswerThatComesBeforeAllIsWritten(t *testing.T) {
	t.Parallel()
	address := answers(t, func(w io.Writer) {
		_, _ = io.WriteString(w, "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 8\r\n\r\ntoo much")
	})
	answer, err := once(t, &http.Transport{}).Post(address, "text/plain", strings.NewReader(strings.Repeat("x", 32<<20)))
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, http.StatusRequestEntityTooLarge, answer.StatusCode)
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, "too much", string(text))
}

func TestOnceLeavesNamesThatAreNotDNSsToTheLibrary(t *testing.T) {
	t.Parallel()
	var dialled string
	_, err := once(t, &http.Transport{DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
		dialled = address
		return nil, errors.New("seen enough")
	}}).Get("http://bücher.invalid/")
	require.ErrorContains(t, err, "seen enough")
	require.Equal(t, "xn--bcher-kva.invalid:80", dialled)
}

func TestOnceSaysThatNobodyListens(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(nil)
	server.Close()
	_, err := once(t, &http.Transport{}).Get(server.URL)
	require.ErrorContains(t, err, "connection refused")
}
