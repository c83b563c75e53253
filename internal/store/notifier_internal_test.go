package store

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNotifierForgetsAWatchThatEnded(t *testing.T) {
	t.Parallel()
	var notifier Notifier
	ctx, cancel := context.WithCancel(t.Context())
	first, second := notifier.Watch(ctx, "thing", "a"), notifier.Watch(ctx, "thing", "a")
	require.Len(t, notifier.watches, 1)
	require.Len(t, notifier.watches[topic{"thing", "a"}], 2)
	cancel()
	<-first // closed
	<-second
	notifier.mu.Lock()
	defer notifier.mu.Unlock()
	require.Empty(t, notifier.watches)
}
