package flow

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheckServersRefusesNamesThatCannotBe(t *testing.T) {
	t.Parallel()
	require.NoError(t, checkServers())
	require.NoError(t, checkServers("", strings.Repeat("x", 255)))
	require.ErrorIs(t, checkServers("", strings.Repeat("x", 256)), errServerName)
	require.ErrorIs(t, checkServers(make([]string, 101)...), errManyServers)
}
