package replicas_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/hubtest/journey"
	"github.com/ghscoped/ghscoped-service/internal/store/redis"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

const (
	people   = 200
	servers  = 4 // of them have a server that runs
	replicas = 2
	chaos    = 2 * time.Minute
	// starts is when the last of them begins, thinks how long one takes at
	// GitHub at most.
	starts = 80 * time.Second
	thinks = 30 * time.Second
	// after is how long everything may take to settle when the killing is over:
	// the 45 s of a claim whose holder is dead, twice, on a machine that has more
	// to do.
	after = 4 * time.Minute
)

func TestFlowsSurviveReplicasThatAreKilledAndARestartOfRedis(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	w := newWorld(ctx, t, people, servers)
	t.Run("a page on one replica hears what the other did", func(t *testing.T) { w.hearAcross(ctx, t) })

	limited, end := context.WithTimeout(ctx, chaos+after)
	defer end()
	began := time.Now()
	errs := make(chan error, people)
	for _, p := range w.people {
		go func() { errs <- p.live(limited, w.github) }()
	}
	kills := w.wreak(limited, t)
	for range w.people {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d kills, Redis killed once; the last flow ended after %.0f s", kills, time.Since(began).Seconds())
	w.requireTokens(limited, t)
	w.requireOneWriteEach(limited, t)

	polls := w.github.PollSummary()
	require.Zero(t, polls.TooEarly)
	require.GreaterOrEqual(t, polls.Flows, people)
	t.Logf("%d flows, %d polls, none too early; the closest came %v after its time", polls.Flows, polls.Polls, polls.MinSlack)
	w.requireNoSecrets(ctx, t)
}

// wreak kills a replica every few seconds and starts it again, and kills and
// starts Redis once.
func (w *world) wreak(ctx context.Context, t *testing.T) (kills int) {
	t.Helper()
	end, redis := time.Now().Add(chaos), time.Now().Add(chaos/2)
	for time.Now().Before(end) {
		victim := w.replicas[rand.N(len(w.replicas))]
		victim.kill()
		kills++
		pause(ctx, rand.N(3*time.Second))
		require.NoError(t, victim.start(ctx))
		if !redis.IsZero() && time.Now().After(redis) {
			redis = time.Time{}
			w.redis.Kill(t)
			pause(ctx, 2*time.Second)
			w.redis.Restart(t)
		}
		pause(ctx, time.Second+rand.N(4*time.Second))
	}
	return kills
}

// requireTokens waits until every user has the live token that is due, and no
// other one but those whose answer was lost with the process that got it.
func (w *world) requireTokens(ctx context.Context, t *testing.T) {
	t.Helper()
	lost := 0
	want := map[string]int{}
	for _, p := range w.people {
		want[p.name] = p.lost
		if p.intent == stay {
			want[p.name]++
		}
		lost += p.lost
	}
	wrong := func() (wrong []string) {
		live := map[string]int{}
		for _, token := range w.github.Tokens() {
			if token.State == "live" {
				live[token.Actor]++
			}
		}
		for name, count := range want {
			if live[name] != count {
				wrong = append(wrong, fmt.Sprintf("%s has %d live tokens instead of %d", name, live[name], count))
			}
		}
		return wrong
	}
	for len(wrong()) > 0 && pause(ctx, time.Second) {
	}
	require.Empty(t, wrong())
	t.Logf("%d tokens issued, %d of them lost with the process that got them", len(w.github.Tokens()), lost)
}

// requireOneWriteEach waits until the files that are due were put into the servers,
// and counts them, and the deliveries that the audit knows of.
func (w *world) requireOneWriteEach(ctx context.Context, t *testing.T) {
	t.Helper()
	for _, p := range w.people[:servers] {
		expected := 0
		if p.intent == stay || p.intent == leave {
			expected = 1
		}
		file := journey.CredentialFile(w.hub.Home(p.name), w.github.URL())
		for w.moves.Count(t, file) < expected && pause(ctx, time.Second) {
		}
		require.Equal(t, expected, w.moves.Count(t, file), "%s, who wants to %s", p.name, p.intent)
		if p.intent == stay {
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Contains(t, string(content), w.liveToken(p.name))
		}
	}
	delivered := map[string]int{}
	for _, log := range w.logs() {
		for line := range bytes.Lines(log) {
			var event struct {
				Action, Outcome, User string
				Hash                  string `json:"token_sha256"`
			}
			if json.Unmarshal(line, &event) == nil && event.Action == "delivered" && event.Outcome == "ok" {
				delivered[event.Hash]++
			}
		}
	}
	require.NotEmpty(t, delivered)
	for hash, count := range delivered {
		require.Equal(t, 1, count, "token %s", hash)
	}
}

func (w *world) liveToken(user string) string {
	for _, token := range w.github.Tokens() {
		if token.Actor == user && token.State == "live" {
			return token.Token
		}
	}
	return "none"
}

// requireNoSecrets searches the files of Redis and all logs, the Hub's too, for
// whatever was issued to anybody.
func (w *world) requireNoSecrets(ctx context.Context, t *testing.T) {
	t.Helper()
	secrets := rig.SecretsOf(w.github)
	require.NoError(t, secrets.AddKeyFile(w.keys))
	secrets.Add("the service's Hub token", w.hub.ServiceToken)
	for _, p := range w.people {
		for _, cookie := range p.Cookies(w.address) {
			secrets.Add("the cookie "+cookie.Name, cookie.Value)
		}
	}
	backend, err := redis.Open(w.redis.URL(""), time.Now, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer backend.Close()
	hubTokens, err := secrets.AddStored(ctx, backend, w.keys)
	require.NoError(t, err)
	require.GreaterOrEqual(t, hubTokens, len(w.people), "each has an own Hub token here")
	require.Greater(t, secrets.Len(), 5*len(w.people))
	found, size, err := secrets.FindIn(w.redis.Dir)
	require.NoError(t, err)
	require.Empty(t, found)
	for _, log := range w.logs() {
		size += len(log)
		require.Empty(t, secrets.Find(log))
	}
	size += len(w.hub.Log.Bytes())
	require.Empty(t, secrets.FindInHub(w.hub.Log.Bytes()), "the Hub's log")
	t.Logf("%d secrets, %d of them users' own Hub tokens, none in %d kB of Redis files and logs", secrets.Len(), hubTokens, size>>10)
}

// hearAcross watches a user's flow at one replica while the other one changes
// it.
func (w *world) hearAcross(ctx context.Context, t *testing.T) {
	const user = "listener"
	ctx, cancel := context.WithTimeout(ctx, hubtest.Patience)
	defer cancel()
	require.NoError(t, w.hub.CreateUser(ctx, user))
	token, err := w.hub.ServerToken(ctx, user, "")
	require.NoError(t, err)
	events := w.listen(ctx, t, w.replicas[0], token)
	require.Empty(t, (<-events).State, "no flow yet")

	begun := time.Now()
	require.Equal(t, http.StatusCreated, w.direct(ctx, t, w.replicas[1], token, http.MethodPost))
	heard := await(events, "pending")
	require.Equal(t, "pending", heard.State)
	require.NotEmpty(t, heard.UserCode)
	t.Logf("a new flow was heard of after %v", time.Since(begun).Round(time.Millisecond))

	begun = time.Now()
	require.Equal(t, http.StatusOK, w.direct(ctx, t, w.replicas[1], token, http.MethodDelete))
	require.Equal(t, "cancelled", await(events, "cancelled").State)
	t.Logf("its cancellation was heard of after %v", time.Since(begun).Round(time.Millisecond))
}

// await reads events up to the one with a state; the zero answer: there is none.
func await(events <-chan journey.Flow, state string) journey.Flow {
	for event := range events {
		if event.State == state {
			return event
		}
	}
	return journey.Flow{}
}

func accounts(people int) (accounts []githubsim.Account, repositories []githubsim.Repository) {
	for i := range people {
		accounts = append(accounts, githubsim.Account{Login: nameOf(i)})
	}
	return accounts, []githubsim.Repository{{FullName: nameOf(0) + "/notes"}}
}

func nameOf(i int) string { return fmt.Sprintf("person-%03d", i) }

// eachAtOnce does f for 0…n-1, several at once.
func eachAtOnce(n, atOnce int, f func(i int) error) error {
	var group sync.WaitGroup
	errs, next := make(chan error, n), make(chan int, n)
	for i := range n {
		next <- i
	}
	close(next)
	for range atOnce {
		group.Go(func() {
			for i := range next {
				if err := f(i); err != nil {
					errs <- err
				}
			}
		})
	}
	group.Wait()
	close(errs)
	return <-errs
}
