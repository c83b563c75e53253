package flow_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/flow"
)

func TestStartIsPaced(t *testing.T) {
	t.Parallel()
	cancel := func(t *testing.T, w *world) {
		_, err := w.Cancel(w.ctx, caller)
		require.NoError(t, err)
	}
	begin := map[string]func(w *world) error{
		"with a code": func(w *world) error {
			_, _, err := w.Start(w.ctx, caller, flow.Request{})
			return err
		},
		"by the web": func(w *world) error {
			_, _, err := w.StartWeb(w.ctx, caller, flow.Request{})
			return err
		},
	}
	for name, begin := range begin {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWebWorld(t)
			for range 10 {
				require.NoError(t, begin(w), "who starts anew at once may")
				require.NoError(t, begin(w), "a second tab is no attempt")
				cancel(t, w)
			}
			codes := w.github.codes
			err := begin(w)
			refusedWith(t, apierror.CodeTooManyCodes, err)
			var refused *apierror.Error
			require.ErrorAs(t, err, &refused)
			require.Equal(t, time.Minute, refused.RetryAfter)
			require.Equal(t, flow.Cancelled, w.state())

			w.restart() // the count is nowhere but in the record
			w.pass(refused.RetryAfter - time.Second)
			refusedWith(t, apierror.CodeTooManyCodes, begin(w))
			require.Equal(t, codes, w.github.codes, "GitHub is not asked")
			w.pass(time.Second)
			require.NoError(t, begin(w))
			cancel(t, w)
			refusedWith(t, apierror.CodeTooManyCodes, begin(w))
		})
	}
	t.Run("also while GitHub refuses", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.github.refuse = errors.New("502")
		for range 30 {
			_, _, err := w.Start(w.ctx, caller, flow.Request{})
			require.Error(t, err)
		}
		require.Equal(t, 10, w.github.codes)
		require.NotZero(t, w.user().Version)
		w.pass(time.Hour)
		require.Zero(t, w.user().Version, "and is not kept longer than it counts")
	})
}
