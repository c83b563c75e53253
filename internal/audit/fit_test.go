package audit_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/audit"
)

// full is an event whose every text is the same, and whose lists are as long as
// a caller can make them.
func full(text string) audit.Event {
	event := audit.Event{Time: noon, OfBot: audit.OfBot{Permissions: map[string]string{}, Claims: map[string]string{}}, ExpiresAt: noon}
	for i := range reflect.TypeFor[audit.Event]().NumField() {
		if field := reflect.ValueOf(&event).Elem().Field(i); field.Kind() == reflect.String {
			field.SetString(text)
		}
	}
	for i := range 500 {
		event.Repositories = append(event.Repositories, fmt.Sprint(text, i))
		event.Permissions[fmt.Sprint(text, i)] = text
		event.Claims[fmt.Sprint(text, i)] = text
	}
	return event
}

func TestEventTakesAtMost4KiBWhateverIsInIt(t *testing.T) {
	t.Parallel()
	for name, event := range map[string]audit.Event{
		"long texts":               full(strings.Repeat("z", 60_000)),
		"texts that JSON enlarges": full(strings.Repeat("\x01", 60_000)),
		"other letters":            full(strings.Repeat("ü", 60_000)),
		"no letters":               full(strings.Repeat("\xff", 60_000)),
		"short texts":              full("x"),
		"no lists":                 {Time: noon, Action: strings.Repeat("a", 1<<20), OfBot: audit.OfBot{Why: strings.Repeat("<", 1<<20)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			history := &memory{}
			require.NoError(t, audit.New(&out, history, quiet()).Keep(t.Context(), event))
			require.LessOrEqual(t, out.Len(), 4096)
			var line audit.Event
			require.NoError(t, json.Unmarshal(out.Bytes(), &line))
			require.Equal(t, len(event.Repositories), len(line.Repositories)+line.RepositoriesLeftOut)
			if strings.HasPrefix(event.User, "z") {
				require.Equal(t, strings.Repeat("z", 217)+"…", line.User)
			}
			remembered, err := history.Recent(t.Context(), 1)
			require.NoError(t, err)
			encoded, err := json.Marshal(remembered[0])
			require.NoError(t, err)
			require.LessOrEqual(t, len(encoded), 4000)
		})
	}
}

func TestEventOfUsualSizeIsWrittenAsItIs(t *testing.T) {
	t.Parallel()
	event := audit.Event{Time: noon, OfBot: audit.OfBot{Caller: "service:nbbot", Permissions: map[string]string{"contents": "write"}}, Action: "bot_token_issue", Outcome: "issued", TokenHash: strings.Repeat("0", 64)}
	for i := range 30 {
		event.Repositories = append(event.Repositories, fmt.Sprintf("octo-org/%s%d", strings.Repeat("x", 80), i))
	}
	var out bytes.Buffer
	require.NoError(t, audit.New(&out, &memory{}, quiet()).Keep(t.Context(), event))
	var line audit.Event
	require.NoError(t, json.Unmarshal(out.Bytes(), &line))
	require.Equal(t, event, line)
	require.NotContains(t, out.String(), "left_out")
}
