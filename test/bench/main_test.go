package bench_test

import (
	"testing"

	"github.com/ghscoped/ghscoped-service/test/rig"
)

// The programs, built once.
var service, simulator string

func TestMain(m *testing.M) {
	rig.Main(m, rig.Building(map[*string]string{&service: "cmd/ghscoped-service", &simulator: "cmd/githubsim"}))
}
