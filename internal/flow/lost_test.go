package flow_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/github"
)

func TestLostTokenOfAProcessIsToldOnceToPersonAndAudit(t *testing.T) {
	t.Parallel()
	dies := func(w *world, call string, do func()) {
		w.github.during(call, runtime.Goexit) // GitHub has answered, nothing is stored
		dead := make(chan struct{})
		go func() {
			defer close(dead)
			do()
		}()
		<-dead
		w.restart()
		w.github.poll = outcomes(github.PollIncorrect)
		w.run(70 * time.Second) // until the claim is over, and what follows
	}
	for name, approve := range map[string]func(*testing.T) *world{
		"by a code": func(t *testing.T) *world {
			w := newWorld(t)
			w.start()
			w.approve("ghu_lost")
			w.pass(6 * time.Second)
			dies(w, "PollOnce", func() { w.Advance(w.ctx) })
			return w
		},
		"by the web flow": func(t *testing.T) *world {
			w := newWebWorld(t)
			state := w.startWeb()
			dies(w, "Exchange", func() { _, _ = w.CompleteWeb(w.ctx, caller, state, "code") })
			return w
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := approve(t)
			f := w.user().Flow
			require.Equal(t, flow.Failed, f.State)
			require.Equal(t, "answer_lost", f.Error.Code)
			require.Contains(t, f.Error.Hint, "within 8 hours")
			require.Contains(t, f.Error.Hint, "Authorized GitHub Apps")
			w.run(time.Hour)
			finished := w.audit.all("flow_finished")
			require.Len(t, finished, 1)
			require.Equal(t, "failed answer_lost", finished[0].Outcome+" "+finished[0].Code)
			require.Empty(t, w.github.revoked, "nobody knows what to revoke")
		})
	}
}
