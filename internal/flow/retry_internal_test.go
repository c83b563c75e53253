package flow

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
)

func TestRetryLater(t *testing.T) {
	t.Parallel()
	later := (*Retry).later
	revoked := func(r *Retry, now time.Time, cause *apierror.Error) { r.laterWithin(now, revokeBase, revokeMax, cause) }
	for name, test := range map[string]struct {
		later    func(*Retry, time.Time, *apierror.Error)
		failures int
		cause    apierror.Error
		wait     time.Duration
	}{
		"the first failure":             {later: later, failures: 1, wait: time.Second},
		"the fourth":                    {later: later, failures: 4, wait: 8 * time.Second},
		"the last below the limit":      {later: later, failures: 6, wait: 32 * time.Second},
		"the limit":                     {later: later, failures: 7, wait: maxBackoff},
		"far beyond it":                 {later: later, failures: 10_000, wait: maxBackoff},
		"a time that was named":         {later: later, failures: 2, cause: apierror.Error{RetryAfter: time.Hour}, wait: time.Hour},
		"a time that is too early":      {later: later, failures: 4, cause: apierror.Error{RetryAfter: time.Second}, wait: 8 * time.Second},
		"a revocation":                  {later: revoked, failures: 1, wait: 5 * time.Second},
		"a revocation, the ninth":       {later: revoked, failures: 9, wait: 1280 * time.Second},
		"a revocation, from then on":    {later: revoked, failures: 10, wait: 30 * time.Minute},
		"a revocation, far beyond that": {later: revoked, failures: 10_000, wait: 30 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
			retry := Retry{Failures: test.failures - 1}
			test.later(&retry, now, &test.cause)
			require.Equal(t, test.failures, retry.Failures)
			require.GreaterOrEqual(t, retry.Due.Sub(now), test.wait)
			require.Less(t, retry.Due.Sub(now), test.wait+test.wait/10+1)
		})
	}
}
