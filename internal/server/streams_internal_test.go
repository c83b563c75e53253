package server

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/flow"
)

func TestStreamsOfAllUsersAreBounded(t *testing.T) {
	t.Parallel()
	watched := make(chan context.Context, 2)
	all := newStreams(prometheus.NewRegistry(), func(ctx context.Context) (<-chan string, error) {
		watched <- ctx
		return make(chan string), nil
	}, nil)
	yes := func(context.Context) error { return nil }
	var open []*stream
	for i := range streamsAll {
		s, err := all.admit(flow.Caller{User: fmt.Sprintf("user%d", i)}, yes)
		require.NoError(t, err)
		open = append(open, s)
	}
	_, err := all.admit(flow.Caller{User: "one more"}, yes)
	require.ErrorIs(t, err, errManyStreams)
	require.Equal(t, http.StatusTooManyRequests, errManyStreams.status)

	all.end(open[0])
	all.end(open[0]) // by its reader and by its writer
	_, err = all.admit(flow.Caller{User: "one more"}, yes)
	require.NoError(t, err)
	_, err = all.admit(flow.Caller{User: "two more"}, yes)
	require.ErrorIs(t, err, errManyStreams)

	ctx := <-watched
	require.NoError(t, ctx.Err())
	require.Empty(t, watched, "one watch for all")
	all.close()
	require.Error(t, ctx.Err())
	require.Empty(t, all.byUser)
	require.Zero(t, all.count)
}
