package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/secret"
)

const clear = "ghu_marker"

func TestStringRedactsItselfInEveryFormat(t *testing.T) {
	t.Parallel()
	s := secret.New(clear)
	holder := struct {
		Token  secret.String
		hidden secret.String
	}{s, s}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		require.NotContains(t, fmt.Sprintf(verb, s), "676875", verb)
		require.NotContains(t, fmt.Sprintf(verb, s), clear, verb)
		require.NotContains(t, fmt.Sprintf(verb, holder), clear, verb)
		require.NotContains(t, fmt.Sprintf(verb, &holder), clear, verb)
	}
	encoded, err := json.Marshal(holder)
	require.NoError(t, err)
	require.JSONEq(t, `{"Token":"[redacted]"}`, string(encoded))

	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "token", s, "holder", holder)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "token", s, "holder", holder)
	require.NotContains(t, log.String(), clear)
	require.Contains(t, log.String(), secret.Redacted)
}

func TestStoredSurvivesJSONAndStillDoesNotPrint(t *testing.T) {
	t.Parallel()
	record := struct{ Token secret.Stored }{secret.Store(secret.New(clear))}
	encoded, err := json.Marshal(record)
	require.NoError(t, err)
	require.Contains(t, string(encoded), clear)
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", record, record, record), clear)

	var back struct{ Token secret.Stored }
	require.NoError(t, json.Unmarshal(encoded, &back))
	require.Equal(t, clear, back.Token.Reveal())
}

func TestStringThatIsEmptySaysSo(t *testing.T) {
	t.Parallel()
	require.True(t, secret.String{}.Empty())
	require.Empty(t, secret.String{}.Hash())
	require.Empty(t, secret.New("").String())
	require.Len(t, secret.New("x").Hash(), 64)
}
