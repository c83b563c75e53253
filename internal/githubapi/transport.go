package githubapi

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// target is what the transport has to know of a call beyond its request.
type target struct {
	// endpoint is the name of the call in the metrics.
	endpoint string
	// gate names the limit that the call counts against.
	gate string
}

type targetKey struct{}

func withTarget(ctx context.Context, t target) context.Context {
	return context.WithValue(ctx, targetKey{}, t)
}

// transport is the one way to GitHub.
type transport struct {
	next    http.RoundTripper
	clock   func() time.Time
	gate    *gate
	metrics Metrics
	skew    *atomic.Int64
}

// RoundTrip refuses a call that GitHub has asked not to make, and turns an
// answer that asks so into the same error.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	to, _ := r.Context().Value(targetKey{}).(target)
	if wait := t.gate.wait(r.Context(), to.gate); wait > 0 {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, limited(wait, nil)
	}
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", "ghscoped-service")
	r.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	if r.Header.Get("Accept") == "" {
		r.Header.Set("Accept", "application/json")
	}

	start := t.clock()
	resp, err := t.next.RoundTrip(r)
	if err != nil {
		t.metrics.Called(to.endpoint, "none", t.clock().Sub(start))
		return nil, err
	}
	t.metrics.Called(to.endpoint, strconv.Itoa(resp.StatusCode), t.clock().Sub(start))
	t.countRemaining(resp.Header)
	t.learnTime(resp.Header)
	if wait := t.asked(resp); wait > 0 {
		t.gate.close(r.Context(), to.gate, wait)
		if resp.StatusCode >= 400 {
			_ = resp.Body.Close()
			return nil, limited(wait, statusError{status: resp.StatusCode})
		}
	}
	return resp, nil
}

// asked is how long GitHub wants no further call of this kind; 0: it does not
// say so. See "Rate limits for the REST API" in GitHub's documentation.
func (t *transport) asked(resp *http.Response) time.Duration {
	spent := resp.Header.Get("X-RateLimit-Remaining") == "0"
	refused := resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusForbidden
	named := resp.Header.Get("Retry-After") != ""
	if resp.StatusCode == http.StatusTooManyRequests || spent || (refused && (named || speaksOfLimit(resp))) {
		return retryAfter(resp.Header, t.clock())
	}
	return 0
}

// speaksOfLimit looks into the body of a refusal: GitHub's secondary limit may name
// no time, and only its text tells it from a refusal of what was asked. An older name
// of it is "abuse detection".
func speaksOfLimit(resp *http.Response) bool {
	head, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal)) // who reads on meets the error again
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), resp.Body), resp.Body}
	text := bytes.ToLower(head)
	return bytes.Contains(text, []byte("rate limit")) || bytes.Contains(text, []byte("abuse detection"))
}

// maxRefusal bounds what is looked at of a refusal, in bytes.
const maxRefusal = 64 << 10

// learnTime compares GitHub's clock with ours, for the times that GitHub
// checks.
func (t *transport) learnTime(h http.Header) {
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		t.skew.Store(int64(date.Sub(t.clock())))
	}
}

// retryAfter reads how long to wait: Retry-After (RFC 9110, 10.2.3), else the
// time of the limit's reset, else the minute that GitHub asks for.
func retryAfter(h http.Header, now time.Time) time.Duration {
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date // the times below are GitHub's
	}
	if seconds, err := strconv.Atoi(h.Get("Retry-After")); err == nil {
		return bounded(time.Duration(min(max(seconds, 0), 86400)) * time.Second)
	}
	if at, err := http.ParseTime(h.Get("Retry-After")); err == nil {
		return bounded(at.Sub(now))
	}
	if reset, err := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64); err == nil && h.Get("X-RateLimit-Remaining") == "0" {
		return bounded(time.Unix(reset, 0).Sub(now))
	}
	return time.Minute
}

// longestWait is the hour after which every limit of GitHub's begins again.
const longestWait = time.Hour

// bounded keeps a wait between a second and longestWait.
func bounded(d time.Duration) time.Duration { return min(max(d, time.Second), longestWait) }
