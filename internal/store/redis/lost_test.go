package redis_test

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/store"
	"github.com/ghscoped/ghscoped-service/internal/store/redistest"
)

// lossyProxy passes connections on to a server; while lose is above zero, it
// cuts a connection in the place of the server's next answer.
type lossyProxy struct {
	addr string
	lose atomic.Int64
}

func newLossyProxy(t *testing.T, server string) *lossyProxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	proxy := &lossyProxy{addr: listener.Addr().String()}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go proxy.serve(client, server)
		}
	}()
	return proxy
}

func (p *lossyProxy) serve(client net.Conn, server string) {
	defer client.Close()
	upstream, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer upstream.Close()
	go func() {
		defer upstream.Close()
		io.Copy(upstream, client)
	}()
	answer := make([]byte, 64<<10)
	for {
		n, err := upstream.Read(answer)
		if err != nil {
			return
		}
		if p.lose.Add(-1) == 0 {
			return
		}
		if _, err := client.Write(answer[:n]); err != nil {
			return
		}
	}
}

func TestBackendRecognisesAWriteWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Redis)
	proxy := newLossyProxy(t, server.Addr)
	s := open(t, "redis://"+proxy.addr, time.Now)
	record := put(t, s, store.Record{Key: "a"})

	proxy.lose.Store(1)
	again := put(t, s, record)
	require.Greater(t, again.Version, record.Version)
	require.Negative(t, proxy.lose.Load(), "an answer was lost")
	stored, err := s.Get(t.Context(), kind, "a")
	require.NoError(t, err)
	require.Equal(t, again.Version, stored.Version)
	_, err = s.Put(t.Context(), record)
	require.ErrorIs(t, err, store.ErrConflict, "somebody else's write of the same is refused")
}

func TestBackendRecognisesAClaimWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Redis)
	proxy := newLossyProxy(t, server.Addr)
	s := open(t, "redis://"+proxy.addr, time.Now)
	for _, key := range []string{"a", "b", "c"} {
		put(t, s, store.Record{Key: key, Due: time.Now().Add(-time.Minute)})
	}
	first, err := s.Claim(t.Context(), kind, time.Hour, 1) // so that the script is known there
	require.NoError(t, err)
	require.Len(t, first, 1)

	proxy.lose.Store(1)
	claimed, err := s.Claim(t.Context(), kind, time.Hour, 1)
	require.NoError(t, err)
	require.Negative(t, proxy.lose.Load(), "an answer was lost")
	require.Len(t, claimed, 1)
	stored, err := s.Get(t.Context(), kind, claimed[0].Key)
	require.NoError(t, err)
	require.Equal(t, stored, claimed[0])

	others, err := s.Claim(t.Context(), kind, time.Hour, 10)
	require.NoError(t, err)
	require.Len(t, others, 1, "what nobody was given is not claimed")
}
