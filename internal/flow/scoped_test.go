package flow_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/credential"
	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// narrowing is a connected world that gives git one-repository tokens only.
func narrowing(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, func(o *flow.Options) { o.OneRepository, o.Deliverer = true, nil })
	w.start()
	w.approve("ghu_wide")
	w.run(time.Minute)
	require.Equal(t, flow.Connected, w.state())
	return w
}

type got struct {
	repository string
	credential credential.Credential
	err        error
}

// ask asks for the repositories at once, and has the scheduler work until all
// are answered. It needs a bubble of synctest.
func (w *world) ask(repositories ...string) (answers []got) {
	w.t.Helper()
	all := make(chan got, len(repositories))
	for _, repository := range repositories {
		go func() {
			credential, err := w.Credential(w.ctx, program(userName, ""), repository)
			all <- got{repository, credential, err}
		}()
	}
	for synctest.Wait(); len(all) < len(repositories); synctest.Wait() {
		require.Positive(w.t, w.Advance(w.ctx), "somebody waits, and nothing is due")
	}
	for range repositories {
		answers = append(answers, <-all)
	}
	return answers
}

func (w *world) token(repository string) string {
	w.t.Helper()
	answer := w.ask(repository)[0]
	require.NoError(w.t, answer.err)
	return answer.credential.Password.Reveal()
}

func requireCode(t *testing.T, err error, code string) {
	t.Helper()
	var known *apierror.Error
	require.ErrorAs(t, err, &known)
	require.Equal(t, code, known.Code, "%v", err)
}

func TestScopedTokenIsForTheRepositoryThatGitNames(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := narrowing(t)
		answer := w.ask("Octo/papers")[0]
		require.NoError(t, answer.err)
		require.Equal(t, "ghu_narrow1", answer.credential.Password.Reveal())
		require.Equal(t, w.clock().Add(8*time.Hour), answer.credential.ExpiresAt)
		require.Equal(t, "x-access-token", answer.credential.Username)
		require.Equal(t, "ghu_narrow1", w.token("octo/Papers"), "it is kept")
		require.Equal(t, "ghu_narrow2", w.token("octo/notes"))
		require.Equal(t, []string{"ghu_wide Octo/papers", "ghu_wide octo/notes"}, w.github.narrows)

		events := w.audit.all("narrowed")
		require.Len(t, events, 2)
		require.Equal(t, []string{"Octo/papers"}, events[0].Repositories)
		require.Equal(t, secret.New("ghu_narrow1").Hash(), events[0].TokenHash)
		require.Equal(t, "ok", events[0].Outcome)
		require.NotContains(t, w.audit.text(t)+w.log.String(), "ghu_")

		_, err := w.Credential(w.ctx, program(userName, ""), "")
		requireCode(t, err, apierror.CodeRepositoryUnnamed)
		_, err = w.Credential(w.ctx, program("eve", ""), "octo/papers")
		requireCode(t, err, apierror.CodeNotConnected)
	})
}

func TestScopedTokenIsReplacedWhenItsTimeIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := narrowing(t)
		w.github.tokenLife = time.Hour
		require.Equal(t, "ghu_narrow1", w.token("o/r"))
		w.run(59 * time.Minute)
		require.Equal(t, "ghu_narrow1", w.token("o/r"))
		w.run(time.Minute)
		require.Equal(t, "ghu_narrow2", w.token("o/r"))
		require.Len(t, w.user().Connection.Scoped, 1)
		require.Empty(t, w.github.revoked, "the old one is dead already")
	})
}

func TestScopedTokensDieWithTheConnection(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(w *world){
		"disconnected": func(w *world) {
			_, err := w.Disconnect(w.ctx, caller)
			require.NoError(w.t, err)
		},
		"ended by an administrator": func(w *world) {
			_, err := w.EndConnection(w.ctx, userName, "admin")
			require.NoError(w.t, err)
		},
		"replaced by another one": func(w *world) {
			w.start()
			w.approve("ghu_second")
		},
		"expired, before them": func(w *world) { w.pass(8*time.Hour - 30*time.Second) },
		"revoked at GitHub": func(w *world) {
			w.github.access = func() (github.Access, error) { return github.Access{}, &apierror.Error{Code: apierror.CodeTokenDead} }
			require.NoError(w.t, w.Recheck(w.ctx, caller, 0))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := narrowing(t)
				w.pass(time.Second)
				w.token("o/one")
				w.token("o/two")
				end(w)
				w.run(time.Minute)
				require.Subset(t, w.github.revoked, []string{"ghu_narrow1", "ghu_narrow2"})
				require.Empty(t, w.user().Revocations)
				if w.user().Connection == nil {
					_, err := w.Credential(w.ctx, program(userName, ""), "o/one")
					requireCode(t, err, apierror.CodeNotConnected)
				} else {
					require.NotContains(t, w.github.revoked, w.token("o/one"))
				}
			})
		})
	}
}

func TestScopedTokenRefusalIsToldToAllWhoWaitAndIsNotKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := narrowing(t)
		refusal := &apierror.Error{Code: apierror.CodeRepositoryNotChosen, Message: "m", Hint: "h"}
		w.github.narrow = func(string) (github.Token, error) { return github.Token{}, refusal }
		for _, answer := range w.ask("o/r", "o/r") {
			requireCode(t, answer.err, apierror.CodeRepositoryNotChosen)
		}
		require.Len(t, w.github.narrows, 1)
		events := w.audit.all("narrowed")
		require.Len(t, events, 1)
		require.Equal(t, apierror.CodeRepositoryNotChosen, events[0].Code)
		requireCode(t, w.ask("o/r")[0].err, apierror.CodeRepositoryNotChosen)
		require.Len(t, w.github.narrows, 2, "it may have been chosen meanwhile")
		w.github.narrow = func(string) (github.Token, error) { return w.github.token("ghu_chosen"), nil }
		require.Equal(t, "ghu_chosen", w.token("o/r"))
	})
}

func TestScopedTokenRetryableErrorIsToldToWhoeverWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := narrowing(t)
		w.github.narrow = func(string) (github.Token, error) {
			return github.Token{}, &apierror.Error{Code: "github_limit", Retryable: true, RetryAfter: 90 * time.Second}
		}
		var told *apierror.Error
		require.ErrorAs(t, w.ask("o/r")[0].err, &told)
		require.True(t, told.Retryable)
		require.Equal(t, 90*time.Second, told.RetryAfter)
		w.github.narrow = func(string) (github.Token, error) {
			return github.Token{}, &apierror.Error{Code: "github_away", Retryable: true}
		}
		require.ErrorAs(t, w.ask("o/r")[0].err, &told)
		require.True(t, told.Retryable)
		require.Zero(t, told.RetryAfter, "nobody named a time")
	})
}

func TestScopedTokenOfADeadConnectionEndsIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := narrowing(t)
		dead := &apierror.Error{Code: apierror.CodeTokenDead}
		w.github.narrow = func(string) (github.Token, error) { return github.Token{}, dead }
		w.github.access = func() (github.Access, error) { return github.Access{}, dead }
		requireCode(t, w.ask("o/r")[0].err, apierror.CodeTokenDead)
		w.run(time.Minute)
		require.Nil(t, w.user().Connection)
	})
}

func TestScopedTokenThatGitHubRefusedIsReplaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := narrowing(t)
		hash := secret.New(w.token("o/r")).Hash()
		requireCode(t, w.Refused(w.ctx, program(userName, ""), "another"), apierror.CodeTokenUnknown)
		requireCode(t, w.Refused(w.ctx, program(userName, ""), ""), apierror.CodeTokenUnknown)
		requireCode(t, w.Refused(w.ctx, program("eve", ""), hash), apierror.CodeNotConnected)
		require.Equal(t, "ghu_narrow1", w.token("o/r"))
		require.NoError(t, w.Refused(w.ctx, program(userName, ""), hash))
		require.Equal(t, "ghu_narrow2", w.token("o/r"))
		w.run(time.Minute)
		require.Equal(t, []string{"ghu_narrow1"}, w.github.revoked)
	})
}

func TestScopedTokenThatNeverExpiresIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := narrowing(t)
		w.github.narrow = func(string) (github.Token, error) {
			return github.Token{Access: secret.Store(secret.New("ghu_eternal"))}, nil
		}
		requireCode(t, w.ask("o/r")[0].err, "token_never_expires")
		w.run(time.Minute)
		require.Equal(t, []string{"ghu_eternal"}, w.github.revoked)
	})
}
