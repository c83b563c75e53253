// Package redistest starts real Redis and Valkey servers for tests: alone, with
// TLS, as a Cluster, and behind a Sentinel. They listen on free loopback ports,
// keep their files in a directory of the test's, and end with it.
//
// It is for tests only.
package redistest

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// Redis is the program that tests cannot do without.
const Redis = "redis-server"

// startLimit bounds how long a server may take to come up or to end.
const startLimit = 20 * time.Second

// Server is a running server, or one that was stopped and can be started again
// at the same address with the same files.
type Server struct {
	Addr string
	Dir  string

	program string
	args    []string
	mu      sync.Mutex
	command *exec.Cmd
	ended   chan struct{}
}

// Start starts a server on a free port. Args are settings as on the command
// line: "--name", "value", …
func Start(t testing.TB, program string, args ...string) *Server {
	t.Helper()
	port := FreePort(t)
	return start(t, program, port, append([]string{"--port", strconv.Itoa(port)}, args...)...)
}

// start starts a server that is told its port by args.
func start(t testing.TB, program string, port int, args ...string) *Server {
	t.Helper()
	s := &Server{Addr: address(port), Dir: t.TempDir(), program: program}
	s.args = append([]string{
		"--bind", "127.0.0.1", "--dir", s.Dir, "--save", "", "--logfile", "", "--daemonize", "no",
	}, args...)
	s.Restart(t)
	t.Cleanup(func() { s.Kill(t) })
	return s
}

// Restart starts a stopped server, and returns when it serves.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	command := exec.Command(s.program, s.args...)
	out, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start(), "%s is needed for this test", s.program)
	ready, ended := make(chan struct{}), make(chan struct{})
	var log strings.Builder
	go func() {
		defer close(ended)
		defer command.Wait()
		said := false
		for lines := bufio.NewScanner(out); lines.Scan(); {
			line := lines.Text()
			if said {
				continue
			}
			log.WriteString(line + "\n")
			if strings.Contains(line, "Ready to accept connections") || strings.Contains(line, "+monitor master") {
				said = true
				close(ready)
			}
		}
	}()
	s.command, s.ended = command, ended
	select {
	case <-ready:
	case <-ended:
		require.FailNow(t, "the server ended at once", log.String())
	case <-time.After(startLimit):
		require.FailNow(t, "the server does not come up")
	}
}

// Stop asks the server to end, as a restart does.
func (s *Server) Stop(t testing.TB) { s.end(t, syscall.SIGTERM) }

// Kill ends the server as a crash does.
func (s *Server) Kill(t testing.TB) { s.end(t, syscall.SIGKILL) }

// Pause makes the server hang, until Resume.
func (s *Server) Pause(t testing.TB) { require.NoError(t, s.command.Process.Signal(syscall.SIGSTOP)) }

// Resume ends a Pause.
func (s *Server) Resume(t testing.TB) { require.NoError(t, s.command.Process.Signal(syscall.SIGCONT)) }

func (s *Server) end(t testing.TB, signal syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.command == nil {
		return
	}
	_ = s.command.Process.Signal(signal) // it may have ended already
	select {
	case <-s.ended:
	case <-time.After(startLimit):
		t.Errorf("the server at %s does not end", s.Addr)
	}
	s.command = nil
}

// Client connects to this very server.
func (s *Server) Client(t testing.TB) *goredis.Client {
	client := goredis.NewClient(&goredis.Options{Addr: s.Addr, DisableIdentity: true})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// URL of the server, with parameters.
func (s *Server) URL(parameters string) string { return "redis://" + s.Addr + "/0?" + parameters }

// StartCluster starts three nodes that share the slots.
func StartCluster(t testing.TB, program string) []*Server {
	t.Helper()
	var nodes []*Server
	for range 3 {
		nodes = append(nodes, Start(t, program, "--cluster-enabled", "yes",
			"--cluster-port", strconv.Itoa(FreePort(t)), "--cluster-node-timeout", "15000"))
	}
	const slots = 16384
	for i, node := range nodes {
		client := node.Client(t)
		require.NoError(t, client.ClusterAddSlotsRange(t.Context(), i*slots/3, (i+1)*slots/3-1).Err())
		require.NoError(t, client.Do(t.Context(), "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err())
		for _, other := range nodes[:i] {
			meet(t, client, other)
		}
	}
	for _, node := range nodes {
		client := node.Client(t)
		require.Eventually(t, func() bool {
			info, err := client.ClusterInfo(t.Context()).Result()
			return err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3")
		}, startLimit, 20*time.Millisecond, "the cluster does not form")
	}
	return nodes
}

func meet(t testing.TB, client *goredis.Client, other *Server) {
	t.Helper()
	host, port, err := net.SplitHostPort(other.Addr)
	require.NoError(t, err)
	bus, err := other.Client(t).ConfigGet(t.Context(), "cluster-port").Result()
	require.NoError(t, err)
	require.NoError(t, client.Do(t.Context(), "CLUSTER", "MEET", host, port, bus["cluster-port"]).Err())
}

// Sentinels is a master with a replica, watched by one Sentinel that calls the
// master "ours".
type Sentinels struct{ Master, Replica, Sentinel *Server }

// StartSentinels starts all three, and returns when the Sentinel knows them.
func StartSentinels(t testing.TB, program string) Sentinels {
	t.Helper()
	s := Sentinels{Master: Start(t, program)}
	host, port, err := net.SplitHostPort(s.Master.Addr)
	require.NoError(t, err)
	s.Replica = Start(t, program, "--replicaof", host+" "+port)

	number := FreePort(t)
	config := filepath.Join(t.TempDir(), "sentinel.conf")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `port %d
bind 127.0.0.1
sentinel monitor ours %s %s 1
sentinel down-after-milliseconds ours 3000
sentinel failover-timeout ours 3000
`, number, host, port), 0o600))
	s.Sentinel = &Server{Addr: address(number), program: program, args: []string{config, "--sentinel"}}
	s.Sentinel.Restart(t)
	t.Cleanup(func() { s.Sentinel.Kill(t) })

	asked := s.Sentinel.Client(t)
	require.Eventually(t, func() bool {
		known, err := asked.Do(t.Context(), "SENTINEL", "REPLICAS", "ours").Slice()
		return err == nil && len(known) == 1
	}, startLimit, 20*time.Millisecond, "the Sentinel does not find the replica")
	return s
}

// Ports below those which systems give to outgoing connections (32768 on Linux,
// net.ipv4.ip_local_port_range), so that none of these takes a port between
// the moment it is found free and the moment the server listens.
const firstPort, lastPort = 20_000, 32_000

// lastFound makes sure that no two servers of this process are given the same.
var lastFound = func() *atomic.Int64 {
	at := &atomic.Int64{}
	at.Store(rand.Int64N(lastPort - firstPort))
	return at
}()

// FreePort finds a port that nobody listens on, another one with each call.
func FreePort(t testing.TB) int {
	t.Helper()
	for range lastPort - firstPort {
		port := firstPort + int(lastFound.Add(1)%(lastPort-firstPort))
		listener, err := net.Listen("tcp", address(port))
		if err != nil {
			continue
		}
		require.NoError(t, listener.Close())
		return port
	}
	require.FailNow(t, "no port is free")
	return 0
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
