package crash_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
)

// users are one for each lane.
var users = []string{"ada", "bob", "cyd"}

// fewest is how many points must have been died at for the test to count.
const fewest = 20

func TestServiceKilledAtEachPointLosesAndRepeatsNothing(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	w := newWorld(ctx, t)
	points := w.record(ctx, t)
	t.Logf("%d points", len(points))

	queue := make(chan string, len(points))
	for _, point := range points {
		queue <- point
	}
	close(queue)
	var mu sync.Mutex
	var died, unreached, lost []string
	var lanes sync.WaitGroup // not t.Parallel, which waits for cores, not for clocks
	for _, l := range w.lanes {
		lanes.Go(func() {
			for point := range queue {
				t.Run(point, func(t *testing.T) {
					limited, cancel := context.WithTimeout(ctx, hubtest.Patience)
					defer cancel()
					answerLost := l.journey(limited, t, point)
					mu.Lock()
					defer mu.Unlock()
					if !l.dead {
						unreached = append(unreached, point)
						return
					}
					died = append(died, point)
					if answerLost {
						lost = append(lost, point)
					}
				})
			}
		})
	}
	lanes.Wait()
	t.Logf("killed at %d points; not passed again: %q; GitHub's answer with the token was lost: %q", len(died), unreached, lost)
	require.GreaterOrEqual(t, len(died), fewest)
	require.Less(t, len(unreached), len(points)/4)
	require.Zero(t, w.github.PollSummary().TooEarly)
	w.requireNoSecrets(ctx, t)
}

// unstored reports whether a service died, at the last of these points, between
// GitHub's answer with the token and the moment when it is stored: a token that
// nobody has kept cannot be revoked by anybody. The flow ends, person and
// audit are told so, and nothing was delivered.
func unstored(passed []string) bool {
	for _, point := range slices.Backward(passed) {
		switch {
		case strings.HasPrefix(point, "store put user after"):
			return false
		case strings.HasPrefix(point, "GitHub POST /login/oauth/access_token after"):
			return true
		}
	}
	return false
}

// record goes the whole way once and returns the points in the order in which
// they were passed.
func (w *world) record(ctx context.Context, t *testing.T) (points []string) {
	t.Helper()
	l := w.lanes[0]
	trace := filepath.Join(t.TempDir(), "trace")
	l.rearm(ctx, t, "", trace)
	require.Equal(t, "connected", l.connect(ctx, t).State)
	l.settle(ctx, t)
	require.Equal(t, l.written+1, l.writes(t), "a delivery is counted")
	l.disconnect(ctx, t)
	require.NoError(t, l.stop()) // lets the last steps finish
	require.NoError(t, l.start(ctx, "", ""))
	points = read(t, trace)
	require.Greater(t, len(points), fewest)
	slices.Sort(points)
	return slices.Compact(points)
}

// read gives the points of a trace in the order in which they were passed.
func read(t *testing.T, trace string) (points []string) {
	t.Helper()
	content, err := os.ReadFile(trace)
	require.NoError(t, err)
	for line := range strings.Lines(string(content)) {
		points = append(points, strings.TrimSpace(line))
	}
	return points
}

// journey goes the whole way with a service that dies at a point, and reports
// whether GitHub's answer with the token was lost by that.
func (l *lane) journey(ctx context.Context, t *testing.T, point string) (answerLost bool) {
	trace := filepath.Join(t.TempDir(), "trace")
	l.rearm(ctx, t, point, trace)
	end := l.connect(ctx, t)
	if end.State == "failed" && end.Error.Code == "answer_lost" {
		require.True(t, l.dead)
		require.True(t, unstored(read(t, trace)), "only between GitHub's answer and its storing can it be lost")
		require.Len(t, l.live(), 1, "the one that nobody got")
		require.Equal(t, l.written, l.writes(t), "nothing was delivered")
		l.requireTold(ctx, t)
		return true
	}
	require.Equal(t, "connected", end.State, end.Error.Code)
	l.settle(ctx, t)
	live := l.live()
	require.Len(t, live, 1)
	content, err := os.ReadFile(l.credential())
	require.NoError(t, err)
	require.Contains(t, string(content), live[0].Token)
	l.disconnect(ctx, t)
	if !l.dead { // the point may lie behind what people see
		select {
		case <-l.service.Done():
			l.disconnect(ctx, t)
		case <-time.After(time.Second):
		}
	}
	require.Len(t, l.tokens(), l.first+1, "one token was issued")
	require.Empty(t, l.live())
	require.LessOrEqual(t, l.writes(t), l.written+1, "one delivery wrote")
	gitconfig, err := os.ReadFile(filepath.Join(l.hub.Home(l.user), ".gitconfig"))
	require.True(t, os.IsNotExist(err) || !strings.Contains(string(gitconfig), "ghscoped"), "git's configuration is as it was")
	return false
}

func account(user string) githubsim.Account { return githubsim.Account{Login: user} }

func repository(user string) githubsim.Repository {
	return githubsim.Repository{FullName: fmt.Sprintf("%s/notes", user)}
}
