package hub

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Metrics is told what to count.
type Metrics interface {
	// Called is a call of the REST API, and the time until its answer began;
	// status is that of HTTP, or "none" where no answer came.
	Called(endpoint, status string, took time.Duration)
}

// measured is a transport that times each call of the Hub's API. Names of users
// and servers never become a label.
type measured struct {
	next    http.RoundTripper
	base    string // path of the API, without a final slash
	metrics Metrics
}

func newMeasured(next http.RoundTripper, api *url.URL, metrics Metrics) *measured {
	if next == nil {
		next = http.DefaultTransport
	}
	return &measured{next: next, base: strings.TrimSuffix(api.EscapedPath(), "/"), metrics: metrics}
}

func (m *measured) RoundTrip(r *http.Request) (*http.Response, error) {
	began := time.Now()
	response, err := m.next.RoundTrip(r)
	status := "none"
	if err == nil {
		status = strconv.Itoa(response.StatusCode)
	}
	m.metrics.Called(m.endpoint(r), status, time.Since(began))
	return response, err
}

// endpoint names a call by its method and its path below the API's, without who
// it is about.
func (m *measured) endpoint(r *http.Request) string {
	path, below := strings.CutPrefix(r.URL.EscapedPath(), m.base)
	if !below {
		return r.Method + " other"
	}
	segments := strings.Split(path, "/")
	if len(segments) > 2 && segments[1] == "users" {
		segments[2] = "{user}"
	}
	if len(segments) > 4 && segments[1] == "users" { // /users/{user}/servers/{server}, /users/{user}/tokens/{token}
		segments[4] = "{" + strings.TrimSuffix(segments[3], "s") + "}"
	}
	if len(segments) > 2 && segments[1] == "shares" {
		segments[2] = "{user}"
	}
	return r.Method + " " + strings.Join(segments, "/")
}
