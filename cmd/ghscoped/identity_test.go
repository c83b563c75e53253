package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/client"
	"github.com/ghscoped/ghscoped-service/internal/oidcsim"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

const servicePath = "/services/connect-github"

// recorder is a service that gives a token to whoever asks, and notes by whose token.
type recorder struct {
	*httptest.Server
	mu      sync.Mutex
	bearers []string
	refuse  *client.Error
}

func newRecorder(t *testing.T) *recorder {
	t.Helper()
	r := &recorder{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.bearers = append(r.bearers, strings.TrimPrefix(request.Header.Get("Authorization"), "Bearer "))
		if r.refuse != nil {
			w.WriteHeader(r.refuse.Status)
			_ = json.NewEncoder(w).Encode(map[string]any{"error": r.refuse})
			return
		}
		_ = json.NewEncoder(w).Encode(client.BotToken{Token: secret.Store(secret.New("ghs_1")), ExpiresAt: time.Now().Add(time.Hour)})
	}))
	t.Cleanup(r.Close)
	return r
}

// claims are those of the tokens that the service was asked by, unverified.
func (r *recorder) claims(t *testing.T) (all []jwt.MapClaims) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, bearer := range r.bearers {
		claims := jwt.MapClaims{}
		_, _, err := jwt.NewParser().ParseUnverified(bearer, claims)
		require.NoError(t, err, bearer)
		all = append(all, claims)
	}
	return all
}

// bot is an invocation with that environment, in which the service is at address.
func bot(address string, env map[string]string) invocation {
	return invocation{clock: time.Now, http: &http.Client{Transport: http.DefaultTransport}, getenv: func(name string) string {
		if value, set := env[name]; set {
			return value
		}
		return map[string]string{"GHSCOPED_URL": address + servicePath + "/"}[name]
	}}
}

var someToken = botOptions{repositories: []string{"octo-org/papers"}, permissions: []string{"contents:write"}}

func newIssuer(t *testing.T) *oidcsim.Issuer {
	t.Helper()
	issuer, err := oidcsim.Start(oidcsim.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, issuer.Close()) })
	return issuer
}

func inActions(issuer *oidcsim.Issuer) map[string]string {
	address, token := issuer.StartJob(oidcsim.Job{})
	return map[string]string{"GITHUB_ACTIONS": "true", actionsURL: address, actionsToken: token}
}

func TestBotTokenAsksAsAJobOfActions(t *testing.T) {
	t.Parallel()
	issuer, service := newIssuer(t), newRecorder(t)
	in := bot(service.URL, inActions(issuer))
	for range 2 {
		token, err := in.botToken(t.Context(), someToken, false)
		require.NoError(t, err)
		require.Equal(t, "ghs_1", token.Token.Reveal())
	}
	claims := service.claims(t)
	require.Len(t, claims, 2)
	require.Equal(t, service.URL+servicePath, claims[0]["aud"], "without the slash at its end")
	require.NotEqual(t, claims[0]["jti"], claims[1]["jti"], "a new one each time")
}

func TestBotTokenAsksAsAPod(t *testing.T) {
	t.Parallel()
	issuer, service := newIssuer(t), newRecorder(t)
	file := filepath.Join(t.TempDir(), "token")
	in := bot(service.URL, nil)
	in.identityFile = file
	for range 2 { // the kubelet writes a new one
		token := issuer.Sign(issuer.PodClaims("bots", "mirror", "https://hub.example.org"+servicePath))
		require.NoError(t, os.WriteFile(file, []byte(token+"\n"), 0o600))
		_, err := in.botToken(t.Context(), someToken, false)
		require.NoError(t, err)
	}
	claims := service.claims(t)
	require.Equal(t, "system:serviceaccount:bots:mirror", claims[0]["sub"])
	require.NotEqual(t, claims[0]["jti"], claims[1]["jti"])
}

func TestBotServiceChoosesWhoItIs(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t)
	folder := t.TempDir()
	pod := func(name string) string {
		file := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(file, []byte(issuer.Sign(issuer.PodClaims("bots", name, "https://hub.example.org"+servicePath))), 0o600))
		return file
	}
	named, usual, actions := pod("named"), pod("usual"), inActions(issuer)
	with := func(env map[string]string, more ...string) map[string]string {
		all := map[string]string{more[0]: more[1]}
		for name, value := range env {
			all[name] = value
		}
		return all
	}
	for name, tc := range map[string]struct {
		env  map[string]string
		want string // subject, or the token as it is
	}{
		"Hub token first":             {with(actions, "JUPYTERHUB_API_TOKEN", "of-the-hub"), "of-the-hub"},
		"a named file before Actions": {with(actions, identityFileVariable, named), "system:serviceaccount:bots:named"},
		"Actions before a usual file": {actions, "repo:octo/deploy:ref:refs/heads/main"},
		"a usual file":                {nil, "system:serviceaccount:bots:usual"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := newRecorder(t)
			in := bot(service.URL, tc.env)
			in.identityFile = usual
			_, err := in.botToken(t.Context(), someToken, false)
			require.NoError(t, err)
			if service.bearers[0] != tc.want {
				require.Equal(t, tc.want, service.claims(t)[0]["sub"])
			}
		})
	}
}

func TestBotServiceSaysWhyThereIsNoIdentity(t *testing.T) {
	t.Parallel()
	issuer, service := newIssuer(t), newRecorder(t)
	folder := t.TempDir()
	file := func(name, content string) map[string]string {
		path := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return map[string]string{identityFileVariable: path}
	}
	forSomebody := func(audience any) string {
		return issuer.Sign(issuer.PodClaims("bots", "mirror", "").With("aud", audience))
	}
	ours := "https://hub.example.org" + servicePath
	for name, tc := range map[string]struct {
		env        map[string]string
		code, says string
	}{
		"nothing at all":                 {nil, "no_identity", identityFile},
		"Actions without the permission": {map[string]string{"GITHUB_ACTIONS": "true"}, "no_identity", "id-token: write"},
		"Actions without its token":      {map[string]string{actionsURL: issuer.URL()}, "no_identity", actionsToken},
		"Actions with no address":        {map[string]string{actionsURL: "here", actionsToken: "x"}, "no_identity", actionsURL},
		"Actions over http": {map[string]string{actionsURL: issuer.URL(), actionsToken: "x", "GHSCOPED_URL": "http://hub.example.org" + servicePath},
			"service_not_https", "https"},
		"Actions refuses":         {map[string]string{actionsURL: issuer.URL() + "/jobs/1/idtoken", actionsToken: "x"}, "no_identity", "GitHub Actions gave this job no identity token."},
		"no service":              {map[string]string{"GHSCOPED_URL": ""}, "no_service", "GHSCOPED_URL"},
		"no address of a service": {map[string]string{"GHSCOPED_URL": "hub"}, "bad_service_url", "GHSCOPED_URL"},
		"no such file":            {map[string]string{identityFileVariable: filepath.Join(folder, "none")}, "bad_identity_file", "no such file"},
		"an empty file":           {file("empty", "\n"), "bad_identity_file", "holds no identity token"},
		"another file":            {file("other", "a.b.c"), "bad_identity_file", "holds no identity token"},
		"a token without audience": {file("without", forSomebody(nil)),
			"bad_identity_file", "holds no identity token"},
		"the API server's token": {file("api", forSomebody([]string{"https://kubernetes.default.svc.cluster.local"})),
			"bad_identity_file", "its audience is https://kubernetes.default.svc.cluster.local"},
		"a token of two audiences": {file("two", forSomebody([]string{ours, "https://kubernetes.default.svc"})),
			"bad_identity_file", "serviceAccountToken"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := bot(service.URL, tc.env)
			began := time.Now()
			_, err := in.botToken(t.Context(), someToken, false)
			require.Error(t, err)
			require.Less(t, time.Since(began), mintLimit/2, "it is not tried again")
			failure := asCommandError(err)
			require.Equal(t, tc.code, failure.code)
			require.Contains(t, failure.message+" "+failure.hint, tc.says)
		})
	}
	require.Empty(t, service.bearers, "the service was asked by none of them")
}

func TestBotTokenAsksActionsAgainWhileItMayPass(t *testing.T) {
	t.Parallel()
	issuer, service := newIssuer(t), newRecorder(t)
	env := inActions(issuer)
	issuer.Outage(http.StatusServiceUnavailable)
	time.AfterFunc(100*time.Millisecond, func() { issuer.Outage(0) })
	_, err := bot(service.URL, env).botToken(t.Context(), someToken, false)
	require.NoError(t, err)
	require.Len(t, service.bearers, 1)
}

func TestBotServiceKeepsWhatTheServiceSaysToAWorkload(t *testing.T) {
	t.Parallel()
	issuer, service := newIssuer(t), newRecorder(t)
	for _, code := range []string{"bad_token", "no_access", "workload_refused"} {
		service.refuse = &client.Error{Status: http.StatusForbidden, Code: code, Message: "About this workload.", Hint: "Do this."}
		_, err := bot(service.URL, inActions(issuer)).botToken(t.Context(), someToken, false)
		failure := asCommandError(err)
		require.Equal(t, []string{code, "About this workload.", "Do this."}, []string{failure.code, failure.message, failure.hint})
	}
}

// TestTokenAgentRevokesAsAWorkload: by a new identity token at the service, or at GitHub
// where there is none.
func TestTokenAgentRevokesAsAWorkload(t *testing.T) {
	t.Parallel()
	issuer, recorder := newIssuer(t), newRecorder(t)
	service, err := bot(recorder.URL, inActions(issuer)).botService()
	require.NoError(t, err)
	github := &fakeService{}
	a := &tokenAgent{service: service, github: github, clock: time.Now}

	requireToken(t, a, "ghs_1")
	require.NoError(t, a.end(t.Context()))
	require.Empty(t, github.ended)
	claims := recorder.claims(t)
	require.Len(t, claims, 2)
	require.NotEqual(t, claims[0]["jti"], claims[1]["jti"])

	requireToken(t, a, "ghs_1")
	issuer.Outage(http.StatusServiceUnavailable)
	require.NoError(t, a.end(t.Context()))
	require.Equal(t, []string{"ghs_1"}, github.ended)
}
