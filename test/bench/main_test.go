package bench_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/ghscoped/ghscoped-service/test/rig"
)

// The programs, built once.
var service, simulator string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "bench-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	for program, pkg := range map[*string]string{&service: "cmd/ghscoped-service", &simulator: "cmd/githubsim"} {
		if *program, err = rig.Build(folder, pkg); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}
