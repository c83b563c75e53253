package hubapi

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Called is called after each call of the REST API, with the time until its answer
// began; status is that of HTTP, or "none" where no answer came.
type Called func(endpoint, status string, took time.Duration)

// measured is a transport that times each call of the Hub's API. Names of users
// and servers never become a label.
type measured struct {
	next   http.RoundTripper
	base   string // path of the API, without a final slash
	called Called
}

func newMeasured(next http.RoundTripper, api *url.URL, called Called) *measured {
	if next == nil {
		next = http.DefaultTransport
	}
	return &measured{next: next, base: strings.TrimSuffix(api.EscapedPath(), "/"), called: called}
}

func (m *measured) RoundTrip(r *http.Request) (*http.Response, error) {
	began := time.Now()
	response, err := m.next.RoundTrip(r)
	status := "none"
	if err == nil {
		status = strconv.Itoa(response.StatusCode)
	}
	if m.called != nil {
		m.called(m.endpoint(r), status, time.Since(began))
	}
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
