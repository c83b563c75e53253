package client

import (
	"bufio"
	"context"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// maxHead bounds the head of an answer and of those that announce it, in bytes.
const maxHead = 1 << 20

// Once is a transport for a program that asks little and ends, as git's helper
// does: each request has a connection to itself, on which the caller's own
// goroutine writes and reads. [http.Transport] starts three goroutines for a
// connection, so that others may use it later, and git would wait for the
// threads that run them (docs/decisions/0011).
//
// TLS and a host's name in other letters than DNS has go to Transport. Only TLS
// may use its proxy: a proxy could read the Hub token that goes to the service
// over plain HTTP, and such a service is inside the Hub's own network. An https
// address may be outside, where only the proxy leads, and the proxy sees no more
// than its host's name.
type Once struct{ Transport *http.Transport }

// RoundTrip implements [http.RoundTripper].
func (o Once) RoundTrip(request *http.Request) (*http.Response, error) {
	switch {
	case request.URL.Scheme != "http":
		return o.Transport.RoundTrip(request)
	case !ascii(request.URL.Host):
		direct := o.Transport.Clone()
		direct.Proxy = nil
		return direct.RoundTrip(request)
	}
	ctx := request.Context()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", hostAndPort(request.URL))
	if err != nil {
		if request.Body != nil {
			_ = request.Body.Close()
		}
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	body := &onlyBody{conn: conn, stop: stop}
	answer, err := exchange(conn, request)
	if err != nil {
		_ = body.Close()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, err
	}
	body.Reader, answer.Body = answer.Body, body
	return answer, nil
}

func ascii(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf })
}

// exchange writes a request and reads the head of its answer, which may come
// before all is written: that the request is too large, for instance.
func exchange(conn net.Conn, request *http.Request) (*http.Response, error) {
	last := request.Clone(request.Context())
	last.Close = true
	unsent := last.Write(conn)
	if unsent != nil { // what there is of an answer has come by now
		_ = conn.SetReadDeadline(time.Now().Add(time.Second))
	}
	head := &io.LimitedReader{R: conn, N: maxHead}
	from := bufio.NewReader(head)
	for {
		answer, err := http.ReadResponse(from, last)
		switch {
		case err != nil && unsent != nil:
			return nil, unsent
		case err != nil:
			return nil, err
		case answer.StatusCode >= http.StatusOK:
			head.N = math.MaxInt64
			return answer, nil
		} // else it only announces another (RFC 9110, 15.2)
	}
}

// onlyBody ends its connection when it is closed.
type onlyBody struct {
	io.Reader
	conn net.Conn
	stop func() bool
}

func (b *onlyBody) Close() error {
	b.stop()
	return b.conn.Close()
}

func hostAndPort(address *url.URL) string {
	port := address.Port()
	if port == "" {
		port = "80"
	}
	return net.JoinHostPort(address.Hostname(), port)
}
