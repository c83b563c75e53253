// Package gitconfigtest leaves what a "ghscoped setup" leaves that was killed while
// it had git's lock. It is for tests; the product does not import it.
package gitconfigtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"github.com/ghscoped/ghscoped-service/internal/gitconfig"
)

// victim names the file in whose change this process is to be killed.
const victim = "GITCONFIGTEST_VICTIM"

// fcntl(2): of a lease, Linux tells its holder when another process opens the file,
// which waits meanwhile.
const (
	setLease = 1024
	getLease = 1025
)

// Main is the TestMain of a package that uses [Kill].
func Main(m *testing.M) {
	if path := os.Getenv(victim); path != "" {
		_, err := gitconfig.Put(context.Background(), path, []string{"[core]", "\tpager = cat"})
		fmt.Fprintln(os.Stderr, "nobody killed this:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// Kill has another process change a file, which must exist, and kills it (SIGKILL)
// between its lock and its change. It returns the process's number.
func Kill(t testing.TB, path string) (process int) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	opened := make(chan os.Signal, 1)
	signal.Notify(opened, syscall.SIGIO)
	defer signal.Stop(opened)
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, file.Fd(), setLease, syscall.F_WRLCK); errno != 0 {
		t.Fatalf("a lease of %s: %v", path, errno)
	}

	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), victim+"="+path)
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	for leased(file) {
		select {
		case <-opened: // by the process, or it is about another test's file
		case err := <-ended:
			t.Fatalf("the process has not opened the file: %v", err)
		}
	}
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = file.Close() // ends the lease, without which the process cannot end
	<-ended
	if _, err := os.Stat(path + ".lock"); err != nil {
		t.Fatalf("the process was killed before it had the lock: %v", err)
	}
	return command.Process.Pid
}

// leased reports whether nobody has opened the file yet.
func leased(file *os.File) bool {
	kind, _, errno := syscall.Syscall(syscall.SYS_FCNTL, file.Fd(), getLease, 0)
	return errno == 0 && kind == syscall.F_WRLCK
}
