package githubapi_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// stuck is a GitHub that takes a call and does not answer, or does not end its
// answer, as long as anybody waits for it.
type stuck struct{ inBody bool }

func (s stuck) RoundTrip(r *http.Request) (*http.Response, error) {
	if !s.inBody {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return &http.Response{StatusCode: http.StatusOK, Request: r, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(io.MultiReader(strings.NewReader("{"), waits{r.Context()}))}, nil
}

type waits struct{ ctx context.Context }

func (w waits) Read([]byte) (int, error) {
	<-w.ctx.Done()
	return 0, w.ctx.Err()
}

func TestClientGivesUpAfter15SecondsByItself(t *testing.T) {
	t.Parallel()
	for name, github := range map[string]stuck{"no answer": {}, "an answer without an end": {inBody: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := options(t, "http://127.0.0.1:1", time.Now)
				o.HTTP = &http.Client{Transport: github}
				client := newClient(t, o)
				for call, ask := range map[string]func(context.Context) error{
					"device code": func(ctx context.Context) error { _, err := client.DeviceCode(ctx); return err },
					"poll":        func(ctx context.Context) error { _, err := client.PollOnce(ctx, secret.New("code")); return err },
					"account":     func(ctx context.Context) error { _, err := client.Account(ctx, secret.New("token")); return err },
					"revocation":  func(ctx context.Context) error { return client.Revoke(ctx, secret.New("token")) },
				} {
					// The caller's own deadline is far away, as that of a step.
					ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
					began := time.Now()
					require.Error(t, ask(ctx), call)
					require.Equal(t, 15*time.Second, time.Since(began), call)
					cancel()
				}
			})
		})
	}
}
