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
	keys := notifier.Watch(ctx, "thing")
	require.Len(t, notifier.watchers["thing"], 1)
	cancel()
	<-keys // closed
	require.Empty(t, notifier.watchers["thing"])
}
