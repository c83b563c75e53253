package attack_test

import (
	"testing"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// The programs under attack.
var service, command string

func TestMain(m *testing.M) {
	rig.Main(m, rig.Building(map[*string]string{&service: "cmd/ghscoped-service", &command: "cmd/ghscoped"}))
}

// world is a Hub with the service and a simulated GitHub. ada is who is
// attacked, eve who attacks; both are ordinary users of the Hub.
type world struct{ *rig.World }

// newWorld starts a world. Users in hub are added to those that every world has.
func newWorld(t testing.TB, hub hubtest.Options) *world {
	t.Helper()
	hub.Users = append(hub.Users, "ada", "eve")
	return &world{rig.NewWorld(t, rig.WorldOptions{Program: service, Hub: hub})}
}
