package hub

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// measured is a transport that times each call of the Hub's API. Names of users
// and servers never become a label.
type measured struct {
	next     http.RoundTripper
	base     string // path of the API, without a final slash
	duration *prometheus.HistogramVec
}

func newMeasured(next http.RoundTripper, api *url.URL, registry prometheus.Registerer) *measured {
	if next == nil {
		next = http.DefaultTransport
	}
	m := &measured{next: next, base: strings.TrimSuffix(api.EscapedPath(), "/"), duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "ghscoped_hub_request_duration_seconds",
		Help:    "Time until the Hub's answer began; status none: it did not.",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
	}, []string{"endpoint", "status"})}
	registry.MustRegister(m.duration)
	return m
}

func (m *measured) RoundTrip(r *http.Request) (*http.Response, error) {
	began := time.Now()
	response, err := m.next.RoundTrip(r)
	status := "none"
	if err == nil {
		status = strconv.Itoa(response.StatusCode)
	}
	m.duration.WithLabelValues(m.endpoint(r), status).Observe(time.Since(began).Seconds())
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
	for i, name := range map[int]string{2: "{user}", 4: "{server}"} { // /users/{user}/servers/{server}
		if len(segments) > i && segments[1] == "users" {
			segments[i] = name
		}
	}
	return r.Method + " " + strings.Join(segments, "/")
}
