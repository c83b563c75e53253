package bench_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// connections is how many requests are under way at once.
const connections = 32

// hammer sends one request again and again on kept-alive connections, and
// counts the answers; one of another status than that is an error. It reads no
// more of HTTP than it must, so that the load is the service's and not ours.
func hammer(ctx context.Context, address string, request []byte, status int, length time.Duration) (answered int, took time.Duration, err error) {
	var count atomic.Int64
	var group sync.WaitGroup
	errs := make([]error, connections)
	began := time.Now()
	end := began.Add(length)
	for i := range connections {
		group.Go(func() { errs[i] = strike(ctx, address, request, fmt.Sprintf("HTTP/1.1 %d ", status), end, &count) })
	}
	group.Wait()
	return int(count.Load()), time.Since(began), errors.Join(errs...)
}

func strike(ctx context.Context, address string, request []byte, begins string, end time.Time, count *atomic.Int64) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(end.Add(10 * time.Second)); err != nil {
		return err
	}
	answers := bufio.NewReader(conn)
	for time.Now().Before(end) {
		if _, err := conn.Write(request); err != nil {
			return err
		}
		if err := readAnswer(answers, begins); err != nil {
			return err
		}
		count.Add(1)
	}
	return nil
}

func readAnswer(answers *bufio.Reader, begins string) error {
	first, err := answers.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(first, []byte(begins)) {
		return fmt.Errorf("answered %q", first)
	}
	length := -1
	for {
		line, err := answers.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		if name, value, _ := bytes.Cut(line, []byte(":")); bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return errors.New("an answer of unknown length")
	}
	_, err = answers.Discard(length)
	return err
}
