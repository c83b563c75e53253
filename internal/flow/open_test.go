package flow_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/hubapi"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

func TestServersSeeATokenForThemselvesThatIsDeleted(t *testing.T) {
	t.Parallel()
	w := approved(t, func(w *world) { w.hub.runs("", "gpu") })
	w.run(10 * time.Second)
	_, err := w.Disconnect(w.ctx, caller)
	require.NoError(t, err)
	w.run(10 * time.Second)

	require.Len(t, w.servers.seen, 4, "two deliveries, two removals")
	require.NotContains(t, w.servers.seen, hubToken)
	require.ElementsMatch(t, w.servers.seen, w.hub.ended, "each is deleted at the end")
	require.Empty(t, w.hub.made)
	for _, life := range w.hub.lives {
		require.LessOrEqual(t, life, 5*time.Minute)
	}
	require.NotContains(t, w.log.String(), "token-marker")
	require.NotContains(t, fmt.Sprint(w.audit.events), "token-marker")
}

func TestServerTokenIsDeletedWhateverBecomesOfTheDelivery(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(w *world){
		"the server refuses":       func(w *world) { w.servers.err = errors.New("no") },
		"the answer is lost":       func(w *world) { w.servers.lost = errors.New("lost") },
		"it does not prove itself": func(w *world) { w.hub.shows[""] = "nobody's" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := approved(t, func(w *world) { w.hub.runs(""); prepare(w) })
			w.run(5 * time.Second)
			require.NotEmpty(t, w.servers.seen)
			require.Equal(t, w.servers.seen, w.hub.ended)
		})
	}
}

func TestServerTokenIsDeletedThoughTheStepIsBrokenOff(t *testing.T) {
	t.Parallel()
	w := approved(t, func(w *world) { w.hub.runs("") })
	stepping, breakOff := context.WithCancel(w.ctx)
	w.servers.during("Deliver", breakOff)
	for stepping.Err() == nil {
		w.pass(time.Second)
		require.Equal(t, 1, w.Advance(stepping))
	}
	require.Len(t, w.servers.seen, 1)
	require.Equal(t, w.servers.seen, w.hub.ended)
}

func TestServerThatDoesNotProveItselfGetsNothing(t *testing.T) {
	t.Parallel()
	for name, shown := range map[string]string{
		"nothing":                       "",
		"another server of the user":    ownToken("gpu"),
		"the token that it was shown":   "made-token-marker-0-of-/",
		"the user's own token":          hubToken,
		"a token that nobody has":       "dead",
		"what is no token":              "a\nb",
		"text that takes up all memory": string(make([]byte, 1<<16)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := approved(t, func(w *world) { w.hub.runs(""); w.hub.shows[""] = shown })
			w.run(time.Minute)
			require.Equal(t, 1, w.servers.writes, "it is not tried again and again")
			require.Empty(t, w.servers.content)
			require.Equal(t, flow.DeliveryFailed, w.delivery("").State)
			require.Equal(t, "server_unproven", w.delivery("").Error.Code)
			require.Contains(t, w.delivery("").Error.Hint, "internal_ssl")
			require.Empty(t, w.hub.made)
		})
	}
}

func TestServerThatCannotProveItselfSinceTheHubIsAwayIsTriedAgain(t *testing.T) {
	t.Parallel()
	w := approved(t, func(w *world) { w.hub.runs("") })
	w.hub.during("ServerToken", func() { w.hub.err = &hub.UnavailableError{Err: errors.New("503")} })
	w.run(5 * time.Second)
	require.Empty(t, w.servers.content)
	w.hub.err = nil
	w.run(time.Minute)
	require.Equal(t, flow.DeliveryDelivered, w.delivery("").State)
}

func TestRemovalGoesOnlyToTheServerItself(t *testing.T) {
	t.Parallel()
	w := approved(t, func(w *world) { w.hub.runs("") })
	w.run(10 * time.Second)
	w.hub.shows[""] = ownToken("gpu")
	_, err := w.Disconnect(w.ctx, caller)
	require.NoError(t, err)
	w.run(time.Minute)
	require.Equal(t, "server_unproven", w.delivery("").Error.Code)
	require.Equal(t, 1, w.servers.removes)
	require.NotEmpty(t, w.servers.content)
}

func TestServerTokenThatTheHubRefuses(t *testing.T) {
	t.Parallel()
	refusal := hubAnswering(t, http.StatusBadRequest)
	for name, c := range map[string]struct {
		refusal    error
		code, hint string
	}{
		"scope missing":        {hub.ErrForbidden, "hub_scope_missing", "tokens!user"},
		"longer than the most": {refusal, "hub_token_refused", "token_expires_in_max_seconds"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := approved(t, func(w *world) { w.hub.runs(""); w.hub.mint = c.refusal })
			w.run(10 * time.Second)
			require.Empty(t, w.servers.seen, "nothing is shown to the server")
			require.Equal(t, flow.DeliveryFailed, w.delivery("").State)
			require.Equal(t, c.code, w.delivery("").Error.Code)
			require.Contains(t, w.delivery("").Error.Hint, c.hint)
		})
	}
}

func TestServerTokenForSomebodyWhoHasSignedOutWaitsForThem(t *testing.T) {
	t.Parallel()
	w := approved(t, func(w *world) { w.hub.runs("") })
	for w.user().Delivery("") == nil || !w.user().Delivery("").MayHold {
		w.pass(time.Second)
		require.Equal(t, 1, w.Advance(w.ctx))
	}
	w.hub.during("Servers", func() { delete(w.hub.tokens, hubToken) })
	w.run(10 * time.Second)
	require.Equal(t, flow.DeliveryWaiting, w.delivery("").State)
	require.Equal(t, "hub_signed_out", w.delivery("").Error.Code)
	require.Empty(t, w.servers.seen)
}

// hubAnswering is the error of the Hub's client for a status.
func hubAnswering(t *testing.T, status int) error {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	t.Cleanup(server.Close)
	api, err := url.Parse(server.URL)
	require.NoError(t, err)
	_, err = hubapi.New(api, api, nil, server.Client(), nil).Whoami(t.Context(), secret.New("x"))
	require.Error(t, err)
	return err
}
