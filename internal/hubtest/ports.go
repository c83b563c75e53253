package hubtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// Ports for programs that are told where to listen lie below those which
// systems give by themselves (32768 on Linux, net.ipv4.ip_local_port_range), so
// that no outgoing connection takes one between the moment it is found free and
// the moment the program listens. Those from 20,000 are internal/store/redistest's.
const firstPort, lastPort = 10_000, 20_000

// reservation keeps ports from the other test processes of this machine, by a
// UDP socket of each port's number: it leaves TCP to the program.
type reservation []net.PacketConn

// reserve gives n different TCP ports of 127.0.0.1 that nobody listens on.
func reserve(n int) (ports []int, held reservation, err error) {
	for range lastPort - firstPort {
		if len(ports) == n {
			return ports, held, nil
		}
		port := firstPort + rand.N(lastPort-firstPort)
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		mark, err := net.ListenPacket("udp", address)
		if err != nil {
			continue
		}
		listener, err := net.Listen("tcp", address)
		if err != nil {
			_ = mark.Close()
			continue
		}
		_ = listener.Close()
		ports, held = append(ports, port), append(held, mark)
	}
	return nil, nil, errors.Join(fmt.Errorf("hubtest: no port is free between %d and %d", firstPort, lastPort), held.release())
}

func (r reservation) release() error {
	var errs []error
	for _, mark := range r {
		errs = append(errs, mark.Close())
	}
	return errors.Join(errs...)
}

// FreePort is a TCP port of 127.0.0.1 that is the test's own until its end.
func FreePort(t testing.TB) int {
	t.Helper()
	ports, held, err := reserve(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = held.release() })
	return ports[0]
}
