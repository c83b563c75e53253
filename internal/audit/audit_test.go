package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/audit"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestEventIsOneLineOfJSON(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := audit.New(&out, &memory{}, quiet())

	log.Record(t.Context(), audit.Event{
		Time: noon.In(time.FixedZone("elsewhere", 3600)), OfUser: audit.OfUser{User: "ada\n{\"audit\":true}"}, Action: "delivered",
		TokenHash: strings.Repeat("0", 64), Outcome: "success",
	})
	log.Record(t.Context(), audit.Event{Time: noon, OfUser: audit.OfUser{User: "ada"}, Action: "removed", Outcome: "success"})

	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	require.Len(t, lines, 2)
	var first map[string]any
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &first))
	require.Equal(t, map[string]any{
		"audit": true, "time": "2026-11-21T12:00:00Z", "action": "delivered",
		"user": "ada\n{\"audit\":true}", "token_sha256": strings.Repeat("0", 64), "outcome": "success",
	}, first)
}

func TestRecordKeepsTheLastHundredEvents(t *testing.T) {
	t.Parallel()
	history := &memory{}
	log := audit.New(&bytes.Buffer{}, history, quiet())
	for i := range 130 {
		log.Record(t.Context(), audit.Event{Time: noon.Add(time.Duration(i) * time.Second), Action: "x"})
	}
	all, err := history.Recent(t.Context(), 1000)
	require.NoError(t, err)
	require.Len(t, all, 100)
	require.Equal(t, noon.Add(129*time.Second), all[0].Time)
	require.Equal(t, noon.Add(30*time.Second), all[99].Time)

	few, err := history.Recent(t.Context(), 2)
	require.NoError(t, err)
	require.Equal(t, all[:2], few)
}

func TestEventsOfSeveralFlowsDoNotMix(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := audit.New(&out, &memory{}, quiet())
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			log.Record(context.Background(), audit.Event{Time: noon, OfUser: audit.OfUser{User: "ada"}, Action: "delivered"})
		})
	}
	all.Wait()
	for line := range strings.Lines(out.String()) {
		require.True(t, json.Valid([]byte(line)), line)
	}
}

type broken struct{}

var errBroken = errors.New("no space left")

func (broken) Write([]byte) (int, error)              { return 0, errBroken }
func (broken) Add(context.Context, audit.Event) error { return errBroken }
func (broken) Recent(context.Context, int) ([]audit.Event, error) {
	return nil, errBroken
}

func TestEventThatCannotBeKeptIsLogged(t *testing.T) {
	t.Parallel()
	var logged bytes.Buffer
	log := audit.New(broken{}, broken{}, slog.New(slog.NewJSONHandler(&logged, nil)))
	log.Record(t.Context(), audit.Event{Time: noon, OfUser: audit.OfUser{User: "ada"}, Action: "delivered"})
	require.Equal(t, 2, strings.Count(logged.String(), "no space left"))
	require.Contains(t, logged.String(), `"action":"delivered"`)
}

func TestRecordKeepsWhatHappenedThoughNobodyWaits(t *testing.T) {
	t.Parallel()
	history := &memory{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	audit.New(io.Discard, history, quiet()).Record(ctx, audit.Event{Time: noon, Action: "bot_token_issue"})
	events, err := history.Recent(t.Context(), 1)
	require.NoError(t, err)
	require.Len(t, events, 1)
}

func TestKeepSaysWhetherThereIsALine(t *testing.T) {
	t.Parallel()
	event := audit.Event{Time: noon, OfBot: audit.OfBot{Caller: "service:nbbot", Permissions: map[string]string{"contents": "write"}}, Action: "bot_token_issue"}
	require.ErrorIs(t, audit.New(broken{}, new(memory), quiet()).Keep(t.Context(), event), errBroken)

	var out bytes.Buffer
	require.NoError(t, audit.New(&out, broken{}, quiet()).Keep(t.Context(), event), "the line is there, if not the memory of it")
	require.JSONEq(t, `{"audit": true, "time": "2026-11-21T12:00:00Z", "action": "bot_token_issue",
		"caller": "service:nbbot", "permissions": {"contents": "write"}, "outcome": ""}`, out.String())
}

// A field of another type could be a secret in its clear form, or a structure
// that holds one.
func TestEventHasOnlyPlainFields(t *testing.T) {
	t.Parallel()
	var requirePlain func(event reflect.Type)
	requirePlain = func(event reflect.Type) {
		for field := range event.Fields() {
			switch field.Type {
			case reflect.TypeFor[audit.OfUser](), reflect.TypeFor[audit.OfBot]():
				requirePlain(field.Type)
			case reflect.TypeFor[string](), reflect.TypeFor[int](), reflect.TypeFor[time.Time](), reflect.TypeFor[[]string](), reflect.TypeFor[map[string]string]():
			default:
				require.Fail(t, "unexpected type", "%s is a %s", field.Name, field.Type)
			}
		}
	}
	requirePlain(reflect.TypeFor[audit.Event]())
}
