package bot_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/bot"
)

func TestIssueRefusalsArePacedForEachCallerAndCounted(t *testing.T) {
	t.Parallel()
	s := newStage(t, policyText, nil)
	refused := func() string {
		_, err := s.Issue(t.Context(), nbbot, push("octo-org/secrets"), "r")
		var e *apierror.Error
		require.ErrorAs(t, err, &e)
		if e.Code == apierror.CodeTooManyRefusals {
			require.Positive(t, e.RetryAfter)
			require.LessOrEqual(t, e.RetryAfter, 10*time.Second)
		}
		return e.Code
	}
	for range 20 {
		require.Equal(t, "bot_refused", refused())
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 250 {
				if code := refused(); code != apierror.CodeTooManyRefusals {
					t.Error(code)
				}
			}
		})
	}
	all.Wait()
	require.Len(t, s.events, 20)
	_, err := s.Issue(t.Context(), nbbot, push("octo-org/shared"), "r")
	requireCode(t, err, apierror.CodeTooManyRefusals) // before the policy is asked

	_, err = s.Issue(t.Context(), minutely, push("octo-org/secrets"), "r")
	requireCode(t, err, "bot_refused") // somebody else

	require.NoError(t, s.ReportPaced(t.Context()))
	last := s.events[len(s.events)-1]
	require.Equal(t, [3]string{"service:nbbot", bot.Refused, apierror.CodeTooManyRefusals}, [3]string{last.Caller, last.Outcome, last.Code})
	require.Contains(t, last.Why, "1001 further requests")
	events := len(s.events)
	require.NoError(t, s.ReportPaced(t.Context()))
	require.Len(t, s.events, events, "it was told")

	s.now = s.now.Add(10 * time.Second)
	require.Equal(t, "bot_refused", refused())
	require.Equal(t, apierror.CodeTooManyRefusals, refused())
	s.now = s.now.Add(time.Hour)
	for range 20 {
		require.Equal(t, "bot_refused", refused())
	}
}

func TestIssueTokensThatAreGivenCostNoRefusal(t *testing.T) {
	t.Parallel()
	s := newStage(t, policyText, nil)
	for range 100 {
		_, err := s.Issue(t.Context(), nbbot, push("octo-org/shared"), "r")
		require.NoError(t, err)
	}
	s.mintErr = &apierror.Error{Code: "github_unreachable"}
	var failed atomic.Int64
	for range 100 {
		_, err := s.Issue(t.Context(), nbbot, bot.Request{Repositories: []string{"octo-org/shared"}, Permissions: map[string]string{"contents": "write"}, Exclusive: true}, "r")
		var e *apierror.Error
		if errors.As(err, &e) && e.Code == "github_unreachable" {
			failed.Add(1)
		}
	}
	require.EqualValues(t, 20, failed.Load(), "each that fails costs an event, too")
}

func TestIssueCountsATokenThatFailedLateAsARefusal(t *testing.T) {
	t.Parallel()
	s := newStage(t, policyText, func(s *stage) { s.storeErr = errors.New("disk full") })
	s.minting = func() { s.now = s.now.Add(time.Hour) }
	_, err := s.Issue(t.Context(), nbbot, push("octo-org/shared"), "r")
	requireCode(t, err, "unavailable")
	for range 19 {
		_, err = s.Issue(t.Context(), nbbot, push("octo-org/secrets"), "r")
		requireCode(t, err, "bot_refused")
	}
	_, err = s.Issue(t.Context(), nbbot, push("octo-org/secrets"), "r")
	requireCode(t, err, apierror.CodeTooManyRefusals)
}

func TestReportPacedFailsWithTheAudit(t *testing.T) {
	t.Parallel()
	s := newStage(t, policyText, nil)
	for range 21 {
		_, err := s.Issue(t.Context(), nbbot, push("octo-org/secrets"), "r")
		require.Error(t, err)
	}
	s.auditErr = errors.New("disk full")
	require.ErrorIs(t, s.ReportPaced(t.Context()), s.auditErr)
}

func TestIssuePaceTellsABoundedNumberOfCallersApart(t *testing.T) {
	t.Parallel()
	s := newStage(t, policyText, nil)
	var paced int
	for i := range 5000 {
		_, err := s.Issue(t.Context(), bot.Caller{Kind: bot.User, Name: fmt.Sprint("user", i)}, push("octo-org/secrets"), "r")
		var e *apierror.Error
		require.ErrorAs(t, err, &e)
		if e.Code == apierror.CodeTooManyRefusals {
			paced++
		}
	}
	require.Positive(t, paced, "those who come last share one count")
	_, err := s.Issue(t.Context(), bot.Caller{Kind: bot.User, Name: "user0"}, push("octo-org/secrets"), "r")
	requireCode(t, err, "bot_refused") // a caller who came early has a count of its own

	events := len(s.events)
	require.NoError(t, s.ReportPaced(t.Context()))
	require.Len(t, s.events, events+1)
	require.Equal(t, "other callers", s.events[events].Caller)
	require.Contains(t, s.events[events].Why, fmt.Sprintf("%d further requests", paced))

	s.now = s.now.Add(time.Hour)
	_, err = s.Issue(t.Context(), bot.Caller{Kind: bot.User, Name: "late"}, push("octo-org/secrets"), "r")
	requireCode(t, err, "bot_refused")
}
