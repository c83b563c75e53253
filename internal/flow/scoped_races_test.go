package flow_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/github"
)

func TestScopedTokenIsSharedByAllWhoAskAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := narrowing(t)
		for _, answer := range w.ask("o/r", "O/r", "o/R", "o/r") {
			require.NoError(t, answer.err)
			require.Equal(t, "ghu_narrow1", answer.credential.Password.Reveal())
		}
		require.Len(t, w.github.narrows, 1)

		options := w.options
		options.Registry = prometheus.NewRegistry()
		other := flow.New(options)
		answer := make(chan got, 1)
		w.github.during("Narrow", func() { // the other process is asked while this one asks GitHub
			go func() {
				credential, err := other.Credential(w.ctx, program(userName, ""), "o/other")
				answer <- got{"o/other", credential, err}
			}()
			synctest.Wait()
			require.Zero(t, other.Advance(w.ctx), "the record is claimed")
		})
		require.Equal(t, "ghu_narrow2", w.token("o/other"))
		theirs := <-answer
		require.NoError(t, theirs.err)
		require.Equal(t, "ghu_narrow2", theirs.credential.Password.Reveal())
		require.Len(t, w.github.narrows, 2)
	})
}

// GitHub drops the oldest of more than ten tokens, which would be the wide one.
func TestScopedTokensAreNeverMoreThanTen(t *testing.T) {
	t.Parallel()
	var repositories []string
	for i := range 20 {
		repositories = append(repositories, fmt.Sprint("o/r", i))
	}
	for name, ask := range map[string]func(w *world) []got{
		"asked for at once": func(w *world) []got { return w.ask(repositories...) },
		"asked for one after the other": func(w *world) (answers []got) {
			for _, repository := range repositories {
				answers = append(answers, w.ask(repository)...)
			}
			return answers
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := narrowing(t)
				w.github.narrow = func(string) (github.Token, error) {
					alive := len(w.github.narrows) - len(w.github.revoked) // with the one being made
					require.LessOrEqual(t, alive, 8)
					return w.github.token(fmt.Sprint("ghu_narrow", len(w.github.narrows))), nil
				}
				for _, answer := range ask(w) {
					require.NoError(t, answer.err, answer.repository)
				}
				require.Len(t, w.github.narrows, 20)
				require.Len(t, w.user().Connection.Scoped, 8)
				require.Len(t, w.github.revoked, 12)
				require.Equal(t, "too_many", w.audit.all("revoked")[0].Reason)
				require.NotContains(t, w.github.revoked, "ghu_wide")
			})
		})
	}
}

func TestScopedTokenHasToWaitWhoAsksTooOften(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := narrowing(t)
		require.Equal(t, "ghu_narrow1", w.token("o/kept"))
		w.github.narrow = func(string) (github.Token, error) {
			return github.Token{}, &apierror.Error{Code: apierror.CodeRepositoryNotChosen}
		}
		for range 59 {
			requireCode(t, w.ask("o/r")[0].err, apierror.CodeRepositoryNotChosen)
		}
		first := w.clock()
		w.pass(20 * time.Minute)
		err := w.ask("o/r")[0].err
		requireCode(t, err, apierror.CodeManyTokens)
		var refused *apierror.Error
		require.ErrorAs(t, err, &refused)
		require.Equal(t, first.Add(time.Hour), w.clock().Add(refused.RetryAfter))
		require.Len(t, w.github.narrows, 60)
		require.Equal(t, "ghu_narrow1", w.token("o/kept"))
		w.run(time.Hour)
		requireCode(t, w.ask("o/r")[0].err, apierror.CodeRepositoryNotChosen)
	})
}

func TestScopedTokenForWhichNobodyWaitsAnyMoreIsRevoked(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(w *world){
		"disconnected": func(w *world) {
			_, err := w.Disconnect(w.ctx, caller)
			require.NoError(w.t, err)
		},
		"the store takes nothing": func(w *world) { w.store.save = func() error { return errStore } },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := narrowing(t)
				w.github.during("Narrow", func() {
					synctest.Wait() // whoever asked has stored that
					meanwhile(w)
				})
				require.Error(t, w.ask("o/r")[0].err)
				w.store.mend()
				w.run(time.Minute)
				require.Contains(t, w.github.revoked, "ghu_narrow1")
			})
		})
	}
}

func TestScopedTokenThatIsStoredThoughTheStoreSaidNoIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := narrowing(t)
		w.github.during("Narrow", func() {
			synctest.Wait() // whoever asked has stored that
			w.store.answer = times(1, errStore)
		})
		require.Equal(t, "ghu_narrow1", w.token("o/r"))
		w.run(time.Minute)
		require.Empty(t, w.github.revoked)
	})
}

func TestScopedTokenIsThereNextTimeForWhoWaitedTooLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := narrowing(t)
		began := time.Now()
		_, err := w.Credential(w.ctx, program(userName, ""), "o/r") // no scheduler runs
		requireCode(t, err, "interrupted")
		require.Less(t, time.Since(began), 10*time.Second, "git's helper hears of it")
		w.settle()
		credential, err := w.Credential(w.ctx, program(userName, ""), "o/r")
		require.NoError(t, err)
		require.Equal(t, "ghu_narrow1", credential.Password.Reveal())
	})
}
