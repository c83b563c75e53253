package attack_test

import (
	"maps"
	"testing"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
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
type world struct {
	hub    *hubtest.Hub
	github *githubsim.Server
}

// newWorld starts a world. Users and the service's environment in o are added
// to those that every world has.
func newWorld(t testing.TB, o hubtest.Options) *world {
	t.Helper()
	w := &world{github: rig.NewGitHub(t, githubsim.Options{Interval: time.Second})}
	env := rig.ByName(rig.GitHubEnv(w.github))
	maps.Copy(env, o.ServiceEnv)
	o.ServiceCommand, o.ServiceEnv, o.Users = []string{service, "serve"}, env, append(o.Users, "ada", "eve")
	w.hub = hubtest.New(t, o)
	return w
}
