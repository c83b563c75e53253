package apierror_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
)

func TestErrorStatus(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err  apierror.Error
		want int
	}{
		"by its code":                      {apierror.Error{Code: apierror.CodeNoFlow}, 404},
		"by its code, though it may pass":  {apierror.Error{Code: apierror.CodeTooManyCodes, Retryable: true}, 429},
		"another's error that may pass":    {apierror.Error{Code: apierror.CodeGitHubUnreachable, Retryable: true}, 503},
		"another's error that stays":       {apierror.Error{Code: apierror.CodeGitHubRefused}, 502},
		"a code that is in no table":       {apierror.Error{Code: "read_only_home"}, 502},
		"an error of the service's own":    {apierror.Error{Code: apierror.CodeInternal}, 500},
		"no access":                        {apierror.Error{Code: apierror.CodeNoAccess}, 403},
		"a session that is not there":      {apierror.Error{Code: apierror.CodeSignedOut}, 401},
		"a bot's request that is none":     {apierror.Error{Code: apierror.CodeRepositoryInvalid}, 400},
		"a repository without the App":     {apierror.Error{Code: apierror.CodeNotInstalled}, 422},
		"a service that is being stopped":  {apierror.Error{Code: apierror.CodeStopping}, 503},
		"a flow that is under way already": {apierror.Error{Code: apierror.CodeFlowUnderWay}, 409},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, test.err.Status())
		})
	}
}

func TestCodeOf(t *testing.T) {
	t.Parallel()
	own := &apierror.Error{Code: apierror.CodeTokenDead, Message: "m", Err: errors.New("cause"), Retryable: true}
	wrapped := fmt.Errorf("polling: %w", own)
	require.Equal(t, apierror.CodeTokenDead, apierror.CodeOf(wrapped))
	require.Equal(t, "", apierror.CodeOf(nil))
	require.Equal(t, apierror.CodeInternal, apierror.CodeOf(errors.New("x")))
	require.True(t, apierror.Is(wrapped, apierror.CodeTokenDead))
	require.False(t, apierror.Is(nil, ""))
	require.True(t, apierror.IsRetryable(wrapped))
	require.False(t, apierror.IsRetryable(errors.New("x")))
	require.Equal(t, "token_dead: m: cause", own.Error())
	require.ErrorContains(t, errors.Unwrap(own), "cause")
}
