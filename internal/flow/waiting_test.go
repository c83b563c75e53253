package flow_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/flow"
)

func TestWaitingServersAreLookedForTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for flows := range 3 {
		var names []string
		for n := range 40 {
			names = append(names, fmt.Sprintf("%d-%d", flows, n))
		}
		w.start(names...)
		w.approve(fmt.Sprint("ghu_", flows))
		w.run(time.Minute)
		require.Equal(t, flow.Connected, w.state())
	}
	require.Equal(t, 100, len(w.user().Deliveries), "there is no room for more")
	w.hub.looks = 0
	w.run(time.Hour)
	require.LessOrEqual(t, w.hub.looks, 120, "every half minute at most")
	require.GreaterOrEqual(t, w.hub.looks, 60)
	w.hub.runs("0-7")
	w.run(time.Minute)
	require.Equal(t, "ghu_2", w.servers.at("0-7"))

	w.start("new")
	w.approve("ghu_3")
	w.run(time.Minute)
	require.Nil(t, w.user().Delivery("new"))
	require.Equal(t, "ghu_3", w.servers.at("0-7"), "what holds an older token gets the new one")

	w.hub.stopped("0-7")
	_, err := w.Disconnect(w.ctx, caller)
	require.NoError(t, err)
	w.settle()
	require.Len(t, w.user().Deliveries, 1, "what was never written to is forgotten")
	w.hub.runs("0-7")
	w.run(time.Minute)
	require.Empty(t, w.servers.content)
}

func TestWaitingRemovalsAreLookedForTogether(t *testing.T) {
	t.Parallel()
	names := []string{"a", "b", "c", "d"}
	w := newWorld(t)
	w.hub.runs(names...)
	w.start()
	w.approve("ghu_first")
	w.run(time.Minute)
	require.Len(t, w.servers.content, len(names))
	for _, name := range names {
		w.hub.stopped(name)
	}
	_, err := w.Disconnect(w.ctx, caller)
	require.NoError(t, err)
	w.settle()
	w.hub.looks = 0
	w.run(time.Hour)
	require.LessOrEqual(t, w.hub.looks, 120)
	w.hub.runs(names...)
	w.run(time.Minute)
	require.Empty(t, w.servers.content)
}
