package ghscoped_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

const appSecret = "the-secret-of-the-app"

// narrowService is a second service of the same Hub, which gives one-repository
// tokens.
func narrowService(t *testing.T) (address string) {
	t.Helper()
	secretFile := filepath.Join(t.TempDir(), "client-secret")
	require.NoError(t, os.WriteFile(secretFile, []byte(appSecret), 0o600))
	return serviceBeside(t, "GHSCOPED_CLIENT_SECRET_FILE="+secretFile, "GHSCOPED_ONE_REPOSITORY=true")
}

// serviceBeside is another service of the same Hub, with more settings.
func serviceBeside(t *testing.T, settings ...string) (address string) {
	t.Helper()
	origin := "http://" + rig.FreeAddress(t)
	env := append(slices.Clone(shared.Env), "JUPYTERHUB_SERVICE_URL="+origin, "GHSCOPED_STORE=bolt:"+filepath.Join(t.TempDir(), "store.db"))
	program := rig.Run(t, append(env, settings...), filepath.Join(shared.bin, "ghscoped-service"), "serve")
	address = origin + "/services/" + hubtest.ServiceName + "/"
	ctx, cancel := context.WithTimeout(t.Context(), hubtest.Patience)
	defer cancel()
	require.NoError(t, rig.Answers(ctx, address+"healthz", program.Done()))
	return address
}

// oneRepository is the command one-repository: the person uses the service that
// gives one-repository tokens.
func oneRepository(address string) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, _ []string) {
		p := ts.Value(personKey).(*person)
		p.use(address)
		ts.Setenv("GHSCOPED_URL", address)
	}
}

// choose REPOSITORY… chooses them, beside those that are, for the service's App.
func choose(ts *testscript.TestScript, _ bool, args []string) {
	_, err := shared.GitHub.InstallApp(shared.GitHub.Info().ClientID, ts.Value(personKey).(*person).name, false, args...)
	ts.Check(err)
}

// leaked FILE hands in the password of a credential as one that was found.
func leaked(ts *testscript.TestScript, _ bool, args []string) {
	_, password, _ := strings.Cut(ts.ReadFile(args[0]), "\npassword=")
	password, _, _ = strings.Cut(password, "\n")
	body, err := json.Marshal(map[string][]string{"credentials": {password}})
	ts.Check(err)
	answer, err := http.Post(shared.GitHub.APIURL()+"/credentials/revoke", "application/json", bytes.NewReader(body))
	ts.Check(err)
	ts.Check(answer.Body.Close())
	if answer.StatusCode != http.StatusAccepted {
		ts.Fatalf("GitHub answered %s", answer.Status)
	}
}

// until-tokens-dead KIND waits until GitHub accepts no token of the person and
// the service's App; KIND "scoped": none for one repository.
func untilTokensDead(ts *testscript.TestScript, _ bool, args []string) {
	p, ctx, cancel := in(ts)
	defer cancel()
	for {
		alive := 0
		for _, token := range shared.GitHub.Tokens() {
			if token.Actor == p.name && token.ClientID == githubsim.DefaultClientID && token.State == "live" &&
				(len(args) == 0 || token.Via == args[0]) {
				alive++
			}
		}
		if alive == 0 {
			return
		}
		select {
		case <-time.After(50 * time.Millisecond): // the simulator has no event for it
		case <-ctx.Done():
			ts.Fatalf("%d tokens are alive", alive)
		}
	}
}
