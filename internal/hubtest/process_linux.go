package hubtest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// endWithParent makes the kernel ask the child to end when we die. SIGTERM,
// not SIGKILL: the Hub then ends its own children in order.
func endWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGTERM }

// killMarked kills every process whose environment holds entry, until none is left.
func killMarked(entry string) error {
	deadline := time.Now().Add(Patience)
	for {
		left := marked(entry)
		if len(left) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("hubtest: processes %v do not end", left)
		}
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(20 * time.Millisecond) // the kernel tells nobody but the parent
	}
}

func marked(entry string) []int {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	var pids []int
	for _, file := range files {
		environ, err := os.ReadFile(file)
		if err != nil {
			continue // ended meanwhile, or not ours
		}
		for _, e := range bytes.Split(environ, []byte{0}) {
			if string(e) == entry {
				pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
				pids = append(pids, pid)
			}
		}
	}
	return pids
}
