package hubtest_test

import (
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
)

// Of 500 ports out of 10,000 that nobody kept, some twelve would be the same.
func TestFreePortIsTheTestsOwnAndCanBeListenedOn(t *testing.T) {
	t.Parallel()
	given := map[int]bool{}
	for range 500 {
		port := hubtest.FreePort(t)
		require.False(t, given[port], "%d was given before", port)
		given[port] = true
		for range 2 { // a program may be started again
			listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
			require.NoError(t, err)
			require.NoError(t, listener.Close())
		}
	}
}
