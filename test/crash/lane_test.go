package crash_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/hubtest/journey"
	"github.com/ghscoped/ghscoped-service/internal/store"
	"github.com/ghscoped/ghscoped-service/internal/store/bolt"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// lane is one user with a service, a server and a GitHub account of their own,
// so that several points can be tried at once on one Hub.
type lane struct {
	user   string // at the Hub and at GitHub
	hub    *hubtest.Hub
	github *githubsim.Server
	person *hubtest.Visitor
	moves  rig.Moves

	env     []string // of the service
	store   string   // its file
	keys    string   // the file of its keys
	service *hubtest.Program
	dead    bool // the service has died at its point
	first   int  // how many tokens had been issued before
	written int  // how many files had been written before
	lost    int  // how many tokens were lost with the process that got them
	logs    [][]byte
}

// start starts the service, to die at a point ("": not at all).
func (l *lane) start(ctx context.Context, point, trace string) error {
	env := append(slices.Clip(l.env), envVictim+"="+l.user, envPoint+"="+point, envTrace+"="+trace)
	service, err := rig.Start(env, nil, os.Args[0])
	if err != nil {
		return err
	}
	l.service = service
	return hubtest.Answers(ctx, rig.Variable(l.env, "JUPYTERHUB_SERVICE_URL"), service.Done())
}

// stop ends the service in order and keeps its log.
func (l *lane) stop() error {
	err := l.service.Stop(10 * time.Second)
	l.logs = append(l.logs, l.service.Log.Bytes())
	return err
}

// rearm starts the service again, to die at a point.
func (l *lane) rearm(ctx context.Context, t *testing.T, point, trace string) {
	t.Helper()
	require.NoError(t, l.stop())
	l.forgetAttempts(ctx, t)
	l.dead, l.first, l.written = false, len(l.tokens()), l.writes(t)
	require.NoError(t, l.start(ctx, point, trace), string(l.service.Log.Bytes()))
}

// forgetAttempts lets the user begin again at once: a lane connects more often in a
// minute than a person may.
func (l *lane) forgetAttempts(ctx context.Context, t *testing.T) {
	t.Helper()
	backend, err := bolt.Open(l.store, time.Now)
	require.NoError(t, err)
	defer func() { require.NoError(t, backend.Close()) }()
	keys, err := store.LoadKeyring(l.keys)
	require.NoError(t, err)
	users := store.NewUsers(backend, keys, time.Now, slog.New(slog.DiscardHandler))
	user, err := users.Load(ctx, l.user)
	require.NoError(t, err)
	user.PacedUntil = time.Time{}
	require.NoError(t, users.Save(ctx, user))
}

// revive starts the service again if it has died. The records that it held are
// free at once, since its file is.
func (l *lane) revive(ctx context.Context, t *testing.T) {
	t.Helper()
	select {
	case <-l.service.Done():
	default:
		return
	}
	require.False(t, l.dead, "the service died a second time:\n%s", l.service.Log.Tail(20))
	l.dead = true
	l.logs = append(l.logs, l.service.Log.Bytes())
	require.NoError(t, l.start(ctx, "", ""))
}

// until waits for a condition while the service may die.
func (l *lane) until(ctx context.Context, t *testing.T, what string, met func() bool) {
	t.Helper()
	for {
		l.revive(ctx, t)
		if met() {
			return
		}
		select {
		case <-ctx.Done():
			require.FailNow(t, "waiting for: "+what, string(l.service.Log.Tail(30)))
		case <-time.After(25 * time.Millisecond):
		}
	}
}

// answer is what the service says of a flow, or of a connection.
type answer struct {
	journey.Flow
	journey.Connection
}

// ask asks the service once, as the page does; no answer is status 0.
func (l *lane) ask(ctx context.Context, method, path string) (status int, got answer) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	status, err := l.person.Call(ctx, method, path, nil, &got)
	if err != nil {
		return 0, answer{}
	}
	return status, got
}

// connect gets a code, approves it, and waits for the flow's end.
func (l *lane) connect(ctx context.Context, t *testing.T) (end answer) {
	t.Helper()
	var code string
	l.until(ctx, t, "a code", func() bool {
		_, got := l.ask(ctx, http.MethodPost, "api/flows")
		code = got.UserCode
		return code != ""
	})
	require.NoError(t, l.github.Approve(code, l.user))
	l.until(ctx, t, "the end of the flow", func() bool {
		_, end = l.ask(ctx, http.MethodGet, "api/flows/current")
		return end.State == "connected" || end.State == "failed" || end.State == "expired" || end.State == "cancelled"
	})
	return end
}

// settle waits until the token is in the server and its reach was looked up.
func (l *lane) settle(ctx context.Context, t *testing.T) {
	t.Helper()
	l.until(ctx, t, "the delivery", func() bool {
		_, got := l.ask(ctx, http.MethodGet, "api/connection")
		return got.Access == "ready" && len(got.Deliveries) == 1 && got.Deliveries[0].State == "delivered"
	})
}

// disconnect waits until the token is gone everywhere.
func (l *lane) disconnect(ctx context.Context, t *testing.T) {
	t.Helper()
	l.until(ctx, t, "the disconnection", func() bool {
		status, _ := l.ask(ctx, http.MethodDelete, "api/connection")
		return status == http.StatusNoContent || status == http.StatusNotFound
	})
	l.gone(ctx, t)
}

func (l *lane) gone(ctx context.Context, t *testing.T) {
	t.Helper()
	l.until(ctx, t, "the removal", func() bool {
		_, missing := os.Stat(l.credential())
		return os.IsNotExist(missing) && len(l.live()) == 0
	})
}

// requireTold looks whether the person and the audit know of a lost token.
func (l *lane) requireTold(ctx context.Context, t *testing.T) {
	t.Helper()
	page, err := l.person.Page(ctx)
	require.NoError(t, err)
	require.Contains(t, page, "answer was lost on its way")
	require.Contains(t, page, "Settings → Applications → Authorized GitHub Apps")
	require.Contains(t, page, "within 8 hours")
	l.lost++
	told := 0
	for _, log := range append(slices.Clip(l.logs), l.service.Log.Bytes()) {
		for line := range bytes.Lines(log) {
			var event struct{ Action, Outcome, User, Code string }
			if json.Unmarshal(line, &event) == nil && event.Action == "flow_finished" && event.Code == "answer_lost" {
				require.Equal(t, []string{"failed", l.user}, []string{event.Outcome, event.User})
				told++
			}
		}
	}
	require.Equal(t, l.lost, told, "one event of the audit for each")
}

func (l *lane) credential() string {
	return journey.CredentialFile(l.hub.Home(l.user), l.github.URL())
}

// tokens are those that GitHub has ever issued to the lane's account.
func (l *lane) tokens() (tokens []githubsim.TokenInfo) {
	for _, token := range l.github.Tokens() {
		if token.Actor == l.user {
			tokens = append(tokens, token)
		}
	}
	return tokens
}

// live are the live ones among those issued since the service was armed.
func (l *lane) live() (live []githubsim.TokenInfo) {
	for _, token := range l.tokens()[l.first:] {
		if token.State == "live" {
			live = append(live, token)
		}
	}
	return live
}

// writes counts how often the user's credential file was put in place.
func (l *lane) writes(t *testing.T) int { return l.moves.Count(t, l.credential()) }
