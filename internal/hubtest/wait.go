package hubtest

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"
)

// Patience is how long a test waits for what takes seconds on a machine that
// does nothing else. On one that has twenty things to do, a Hub starts in one
// minute.
const Patience = 2 * time.Minute

// Context is the test's, with an end: time for a whole way of a person.
func Context(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*Patience)
	t.Cleanup(cancel)
	return ctx
}

// Answers waits until something answers at address, whatever it says.
func Answers(ctx context.Context, address string, ended <-chan struct{}) error {
	return untilAnswer(ctx, address, ended, 2*time.Millisecond, func(int) bool { return true })
}

// untilAnswer asks again and again until the status of an answer is good. There is
// nothing to wait on but the port itself.
func untilAnswer(ctx context.Context, address string, ended <-chan struct{}, every time.Duration, good func(status int) bool) error {
	transport := localTransport()
	transport.DisableKeepAlives = true
	client := &http.Client{Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return fmt.Errorf("hubtest: %w", err)
		}
		response, err := client.Do(request)
		if err == nil {
			_ = response.Body.Close()
			if good(response.StatusCode) {
				return nil
			}
			err = fmt.Errorf("status %d", response.StatusCode)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("hubtest: %s does not answer: %w", address, err)
		case <-ended:
			return fmt.Errorf("hubtest: what should answer at %s has ended", address)
		case <-tick.C:
		}
	}
}

// Some are those of a sweep's cases that -short tries: the first of every nth. make
// test-sweeps tries all.
func Some[T any](cases []T, nth int) []T {
	if !testing.Short() {
		return cases
	}
	var some []T
	for i := 0; i < len(cases); i += nth {
		some = append(some, cases[i])
	}
	return some
}
