package deliver

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// shown is a program on a terminal of its own, and all that the terminal showed.
type shown struct {
	t       *testing.T
	master  *os.File
	output  *bufio.Reader
	text    strings.Builder
	command *exec.Cmd
}

// onTerminal starts a program on a new terminal, in the home of the place.
func (p *place) onTerminal(name string, arguments ...string) *shown {
	p.t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(p.t, err)
	p.t.Cleanup(func() { _ = master.Close() })
	var number, unlock int32
	ioctl(p.t, master, syscall.TIOCGPTN, unsafe.Pointer(&number))
	ioctl(p.t, master, syscall.TIOCSPTLCK, unsafe.Pointer(&unlock))
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(p.t, err)
	defer func() { require.NoError(p.t, slave.Close()) }()

	command := exec.Command(name, arguments...)
	command.Env, command.Dir = append(p.environment(), "PS1=$ "), "/"
	command.Stdin, command.Stdout, command.Stderr = slave, slave, slave
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(p.t, command.Start())
	limit := time.AfterFunc(5*time.Minute, func() { _ = command.Process.Kill() })
	p.t.Cleanup(func() { limit.Stop() })
	return &shown{t: p.t, master: master, output: bufio.NewReader(master), command: command}
}

func ioctl(t *testing.T, file *os.File, request uintptr, value unsafe.Pointer) {
	t.Helper()
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, file.Fd(), request, uintptr(value))
	require.Zero(t, errno)
}

func (s *shown) send(text string) {
	s.t.Helper()
	_, err := s.master.WriteString(text)
	require.NoError(s.t, err)
}

// await reads until the script says a word.
func (s *shown) await(job job, word string) {
	s.t.Helper()
	for {
		line, err := s.output.ReadString('\n')
		s.text.WriteString(line)
		require.NoError(s.t, err, "%s", &s.text)
		if said, _ := job.answer(line); said == word {
			return
		}
	}
}

// rest reads to the end of the program.
func (s *shown) rest() string {
	s.t.Helper()
	_, err := io.Copy(&s.text, s.output)
	require.True(s.t, err == nil || errors.Is(err, syscall.EIO), "%v", err) // which is how a terminal ends
	require.NoError(s.t, s.command.Wait())
	return s.text.String()
}

// A line of a terminal is 4095 bytes at most, unless the script has said that it
// reads bytes instead of lines.
func TestScriptShowsNothingOfItsInputOnATerminal(t *testing.T) {
	t.Parallel()
	for shell, prepare := range shellsTried() {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			for _, sent := range []string{token, token + strings.Repeat("x", 8000)} {
				p := newPlace(t)
				p.shell, p.path = prepare(t)
				d, err := New(Options{})
				require.NoError(t, err)
				job, err := d.delivery(withToken(sent))
				require.NoError(t, err)

				s := p.onTerminal(p.shell, "-c", job.script, "/bin/sh")
				s.await(job, "ready")
				s.send(job.input.Reveal())
				s.await(job, "done")
				require.NotContains(t, s.rest(), token)
				require.Contains(t, p.read(".config/ghscoped/github.com/credential"), "password="+sent+"\n")
			}
		})
	}
}

func TestScriptWithoutSttyAsksForNothing(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	d, err := New(Options{})
	require.NoError(t, err)
	job, err := d.delivery(gitCredential())
	require.NoError(t, err)
	p.path = t.TempDir()
	s := p.onTerminal("/bin/sh", "-c", job.script, "/bin/sh")
	line, err := s.output.ReadString('\n')
	require.NoError(t, err)
	word, _ := job.answer(line)
	require.Equal(t, "error", word)
}
