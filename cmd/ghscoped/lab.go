package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/client"
)

const (
	// labVariable names a socket on which the extension of Jupyter Server says whether
	// a page of JupyterLab shows the codes of this server (python/src/ghscoped/server.py).
	labVariable = "GHSCOPED_LAB"
	labLimit    = 2 * time.Second
	// maxAncestors is how far up git is looked for: it runs the helper by one or two
	// programs of its own, and maybe by a shell.
	maxAncestors = 8
)

// labShowsCodes reports whether somebody is there who would see a code in JupyterLab:
// git was started by the Jupyter server itself, as by the Git panel of jupyterlab-git,
// to do what a person has clicked; and a page is open that shows it. What the panel
// does by a timer begins nothing, and neither does a script. socket is the one of
// [labVariable].
func labShowsCodes(ctx context.Context, socket string) bool {
	dialer := net.Dialer{Timeout: labLimit}
	server, err := dialer.DialContext(ctx, "unix", socket)
	if err != nil {
		return false
	}
	defer server.Close()
	_ = server.SetDeadline(time.Now().Add(labLimit)) // one that cannot be set leaves the server's own
	answers := bufio.NewReader(server)
	var process int
	if _, err := fmt.Fscanf(answers, "%d\n", &process); err != nil || !clickedIn(process) {
		return false
	}
	// Only now: the page shows the code again that somebody has put away.
	if _, err := io.WriteString(server, "code\n"); err != nil {
		return false
	}
	answer, err := answers.ReadString('\n')
	return err == nil && answer == "shown\n"
}

// clickedIn reports whether a process has started the git that asks, to push, pull or
// clone.
func clickedIn(process int) bool {
	child, parent := 0, os.Getppid()
	for range maxAncestors {
		if parent == process {
			return child != 0 && isGit(child) && clicked(child)
		}
		child, parent = parent, parentOf(parent)
	}
	return false
}

// clicked reports whether a git does what nobody but a person asks for.
func clicked(git int) bool {
	line, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(git), "cmdline"))
	if err != nil {
		return false
	}
	words := strings.Split(string(line), "\x00")
	for i := 1; i < len(words); i++ {
		switch words[i] {
		case "-c", "-C":
			i++ // its value
		case "push", "pull", "clone":
			return true
		default:
			if !strings.HasPrefix(words[i], "-") {
				return false
			}
		}
	}
	return false
}

// parentOf is a process's parent; 0 where there is none, or it is not to be had
// (proc_pid_stat(5); a name may have a bracket in it).
func parentOf(process int) int {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(process), "stat"))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 2 {
		return 0
	}
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		return 0
	}
	return parent
}

// connectInLab waits until the code that JupyterLab shows is approved. Without a
// connection git ends, so that nobody is asked for a password.
func (in invocation) connectInLab(ctx context.Context, service *client.Client, limit time.Duration) (connected bool, err error) {
	flow, _, err := startFlow(ctx, service)
	if err == nil && flow.Pending() && flow.UserCode == "" { // somebody else shows it
		return false, notConnected(in.getenv)
	}
	if err == nil {
		err = follow(ctx, service, flow, silent{}, limit)
	}
	if err == nil {
		return true, nil
	}
	said := *asCommandError(err)
	said.hint = "Click GitHub at the bottom of JupyterLab, or open “Connect GitHub” in the Hub's Services menu; then do this again."
	return false, in.endGit(&said)
}

// silent announces nothing: JupyterLab does.
type silent struct{}

func (silent) announce(client.Flow) {}

func (silent) waiting(context.Context, func() time.Duration) (stop func()) { return func() {} }
