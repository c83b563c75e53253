package client_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/client"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// The countdown of a login reads the time while an event stream is opened again;
// the race detector sees it.
func TestClientNowCanBeReadWhileItIsLearnt(t *testing.T) {
	t.Parallel()
	ahead := time.Now().Add(time.Hour)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", ahead.UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(server.Close)
	base, err := url.Parse(server.URL + "/")
	require.NoError(t, err)
	service := client.New(base, secret.New("t"), http.DefaultTransport, time.Now)
	var reading sync.WaitGroup
	reading.Go(func() {
		for service.Skew() == 0 {
			_ = service.Now()
			time.Sleep(time.Millisecond)
		}
	})
	require.NoError(t, service.Disconnect(t.Context()))
	reading.Wait()
	require.WithinDuration(t, ahead, service.Now(), 5*time.Second)
}
