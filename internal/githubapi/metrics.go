package githubapi

import (
	"net/http"
	"strconv"
	"time"
)

// Metrics is told what to count.
type Metrics interface {
	// Called is a call by the name of its endpoint, and the time until its answer
	// began; status is that of HTTP, or "none" where no answer came.
	Called(endpoint, status string, took time.Duration)
	// SlowedDown is a poll that was answered with slow_down.
	SlowedDown()
	// Remaining is how many calls are left of a limit, "core" or "other".
	Remaining(resource string, calls float64)
}

// unmeasured is for who counts nothing.
type unmeasured struct{}

func (unmeasured) Called(string, string, time.Duration) {}
func (unmeasured) SlowedDown()                          {}
func (unmeasured) Remaining(string, float64)            {}

func (t *transport) countRemaining(h http.Header) {
	left, err := strconv.ParseFloat(h.Get("X-RateLimit-Remaining"), 64)
	if err != nil {
		return
	}
	resource := h.Get("X-RateLimit-Resource")
	if resource != "core" {
		resource = "other" // a label's values are ours to choose
	}
	t.metrics.Remaining(resource, left)
}
