package bot

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
)

func newPace() (p *pace, sleep func(time.Duration)) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	return &pace{clock: func() time.Time { return now }, callers: map[string]*refusals{}}, func(d time.Duration) { now = now.Add(d) }
}

// crowd lets as many callers be refused as can be told apart.
func (p *pace) crowd() {
	for n := range maxPaced {
		p.add(fmt.Sprint("one of a crowd ", n))
	}
}

func TestPaceAddManyAtOnceCountNoLongerThanABurst(t *testing.T) {
	t.Parallel()
	p, _ := newPace()
	for range 100 {
		p.add("a")
	}
	var e *apierror.Error
	require.ErrorAs(t, p.take("a"), &e)
	require.Equal(t, 2*refusalPace, e.RetryAfter)
}

func TestPaceForgetMakesRoom(t *testing.T) {
	t.Parallel()
	p, sleep := newPace()
	p.crowd()
	sleep(refusalPace)
	p.add("late")
	require.Len(t, p.callers, 1)
	require.Contains(t, p.callers, "late")
}

func TestPaceForgetKeepsWhatIsNotReported(t *testing.T) {
	t.Parallel()
	p, sleep := newPace()
	for range refusalBurst {
		require.NoError(t, p.take("a"))
	}
	require.Error(t, p.take("a"))
	sleep(time.Hour)
	p.crowd()
	p.forget()
	require.Equal(t, map[string]int{"a": 1}, p.report())
}

func TestPaceForgetKeepsWhatCounts(t *testing.T) {
	t.Parallel()
	p, sleep := newPace()
	p.add("a")
	sleep(refusalPace - time.Nanosecond)
	require.Empty(t, p.report())
	require.Len(t, p.callers, 1)
	sleep(time.Nanosecond)
	require.Empty(t, p.report())
	require.Empty(t, p.callers, "each report forgets what does not count any more")
}
