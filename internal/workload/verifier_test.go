package workload_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/oidcsim"
	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/workload"
)

const service = "https://hub.example.org/services/connect-github"

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// world is a verifier of one simulated issuer's tokens.
type world struct {
	*workload.Verifier
	issuer *oidcsim.Issuer
	seen   *seen
	logged *bytes.Buffer

	mu  sync.Mutex
	now time.Time
}

func (w *world) clock() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now }

func (w *world) pass(d time.Duration) { w.mu.Lock(); defer w.mu.Unlock(); w.now = w.now.Add(d) }

// seen is a [workload.Once] in memory.
type seen struct {
	mu  sync.Mutex
	ids map[string]time.Time
	err error
}

func (s *seen) First(_ context.Context, id string, until time.Time) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, there := s.ids[id]
	s.ids[id] = until
	return !there, s.err
}

// syncWriter is written to by looks that nobody waits for.
type syncWriter struct {
	mu sync.Mutex
	to *bytes.Buffer
}

func (s *syncWriter) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.to.Write(b)
}

func newWorld(t testing.TB, kind string) *world {
	t.Helper()
	w := &world{now: noon, seen: &seen{ids: map[string]time.Time{}}, logged: &bytes.Buffer{}}
	issuer, err := oidcsim.Start(oidcsim.Options{TLS: true, Clock: w.clock, Path: "/tokens"})
	require.NoError(t, err)
	t.Cleanup(func() { _ = issuer.Close() })
	w.issuer = issuer
	address, audience := parsed(t, issuer.URL()), parsed(t, service+"/")
	w.Verifier = workload.New(workload.Options{
		Issuers:  []workload.Issuer{{Kind: kind, Address: address, HTTP: issuer.Client()}},
		Audience: audience, Once: w.seen, Clock: w.clock, Logger: slog.New(slog.NewTextHandler(&syncWriter{to: w.logged}, nil)),
	})
	return w
}

func parsed(t testing.TB, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	return u
}

func (w *world) verify(token string) (workload.Identity, error) {
	return w.Verify(context.Background(), secret.New(token))
}

func (w *world) job() oidcsim.Claims { return w.issuer.JobClaims(oidcsim.Job{}, service) }

func TestVerifyKnowsAWorkflow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, workload.Actions)
	claims := w.issuer.JobClaims(oidcsim.Job{Repository: "octo/deploy", RepositoryID: 1296269, RepositoryOwnerID: 583231, Environment: "production", RunID: "77"}, service+"/")
	who, err := w.verify(w.issuer.Sign(claims))
	require.NoError(t, err)
	require.Equal(t, "actions octo/deploy 77", who.Kind+" "+who.Name+" "+who.Part)
	require.Equal(t, "1296269", who.Claims["repository_id"])
	require.Equal(t, "583231", who.Claims["repository_owner_id"])
	require.Equal(t, "refs/heads/main", who.Claims["ref"])
	require.Equal(t, "production", who.Claims["environment"])
}

func TestVerifyKnowsAServiceAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, workload.Kubernetes)
	token := w.issuer.Sign(w.issuer.PodClaims("mirror", "bump", service))
	for range 3 { // it is the same in its file until the kubelet renews it
		who, err := w.verify(token)
		require.NoError(t, err)
		require.Equal(t, workload.Kubernetes, who.Kind)
		require.Equal(t, "mirror/bump", who.Name)
		require.Empty(t, who.Part)
		require.Equal(t, "bump", who.Claims["kubernetes.io.serviceaccount.name"])
	}
}

// The keys of a cluster are read at its API, whatever name its tokens and its
// discovery document carry.
func TestVerifyReadsAClustersKeysAtItsAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, workload.Kubernetes)
	w.issuer.Override(oidcsim.DiscoveryPath, http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		_, _ = out.Write([]byte(`{"issuer": "https://kubernetes.default.svc.cluster.local", "jwks_uri": "https://192.0.2.1:6443/tokens` + oidcsim.KeysPath + `"}`))
	}))
	claims := w.issuer.PodClaims("mirror", "bump", service)
	who, err := w.verify(w.issuer.Sign(claims.With("iss", "https://kubernetes.default.svc.cluster.local")))
	require.NoError(t, err)
	require.Equal(t, "mirror/bump", who.Name)
	_, err = w.verify(w.issuer.Sign(claims)) // as its address says
	require.True(t, apierror.Is(err, apierror.CodeIdentityIssuer), err)
}

func TestVerifyKnowsAnotherIssuersSubject(t *testing.T) {
	t.Parallel()
	w := newWorld(t, workload.OIDC)
	who, err := w.verify(w.issuer.Sign(w.job().With("sub", "project_path:octo/site").With("deep", map[string]any{"er": map[string]any{"n": 1, "b": true, "l": []string{"x"}}})))
	require.NoError(t, err)
	require.Equal(t, w.issuer.URL(), who.Name)
	require.Equal(t, "project_path:octo/site", who.Part)
	require.Equal(t, "1", who.Claims["deep.er.n"])
	require.Equal(t, "true", who.Claims["deep.er.b"])
	require.NotContains(t, who.Claims, "deep.er.l")
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	const invalid = apierror.CodeIdentityInvalid
	for name, tc := range map[string]struct {
		kind  string // Actions, if empty
		token func(w *world) string
		want  string
	}{
		"another issuer":             {"", func(w *world) string { return w.issuer.Sign(w.job().With("iss", "https://evil.example.org")) }, apierror.CodeIdentityIssuer},
		"an issuer below it":         {"", func(w *world) string { return w.issuer.Sign(w.job().With("iss", w.issuer.URL()+"/x")) }, apierror.CodeIdentityIssuer},
		"no issuer":                  {"", func(w *world) string { return w.issuer.Sign(w.job().With("iss", nil)) }, apierror.CodeIdentityIssuer},
		"another audience":           {"", func(w *world) string { return w.issuer.Sign(w.job().With("aud", "https://other.example.org")) }, apierror.CodeIdentityAudience},
		"an audience that begins so": {"", func(w *world) string { return w.issuer.Sign(w.job().With("aud", service+"x")) }, apierror.CodeIdentityAudience},
		"several audiences": {"", func(w *world) string {
			return w.issuer.Sign(w.job().With("aud", []string{service, "https://other.example.org"}))
		}, apierror.CodeIdentityAudience},
		"no audience":                      {"", func(w *world) string { return w.issuer.Sign(w.job().With("aud", nil)) }, apierror.CodeIdentityAudience},
		"an audience of a wrong type":      {"", func(w *world) string { return w.issuer.Sign(w.job().With("aud", 7)) }, apierror.CodeIdentityAudience},
		"expired":                          {"", func(w *world) string { return w.issuer.Sign(w.job().With("exp", noon.Add(-time.Second).Unix())) }, apierror.CodeIdentityExpired},
		"no end":                           {"", func(w *world) string { return w.issuer.Sign(w.job().With("exp", nil)) }, apierror.CodeIdentityExpired},
		"an end of a wrong type":           {"", func(w *world) string { return w.issuer.Sign(w.job().With("exp", "tomorrow")) }, invalid},
		"not yet valid":                    {"", func(w *world) string { return w.issuer.Sign(w.job().With("nbf", noon.Add(time.Minute).Unix())) }, invalid},
		"made in the future":               {"", func(w *world) string { return w.issuer.Sign(w.job().With("iat", noon.Add(time.Minute).Unix())) }, invalid},
		"a life of years":                  {"", func(w *world) string { return w.issuer.Sign(w.job().With("exp", noon.AddDate(3, 0, 0).Unix())) }, invalid},
		"a life beyond any year":           {"", func(w *world) string { return w.issuer.Sign(w.job().With("exp", 1e300)) }, invalid},
		"no signature":                     {"", func(w *world) string { return w.issuer.SignWith(map[string]any{"alg": "none"}, w.job()) }, invalid},
		"none in other letters":            {"", func(w *world) string { return w.issuer.SignWith(map[string]any{"alg": "nOnE"}, w.job()) }, invalid},
		"signed with the public key":       {"", func(w *world) string { return w.issuer.SignWith(map[string]any{"alg": "HS256"}, w.job()) }, invalid},
		"a key that the issuer has not":    {"", func(w *world) string { return w.issuer.SignWith(map[string]any{"kid": "another"}, w.job()) }, invalid},
		"somebody else's key of that name": {"", func(w *world) string { return signedElsewhere(w) }, invalid},
		"another text below the signature": {"", func(w *world) string { return swapped(w) }, invalid},
		"a signature cut short":            {"", func(w *world) string { token := w.issuer.Sign(w.job()); return token[:len(token)-20] }, invalid},
		"of 100 kB":                        {"", func(w *world) string { return w.issuer.Sign(w.job().With("pad", strings.Repeat("x", 100<<10))) }, invalid},
		"no JWT":                           {"", func(*world) string { return "eyJx.%.x" }, invalid},
		"no JSON":                          {"", func(*world) string { return "eyJx.eyJ4.x" }, invalid},
		"a list":                           {"", func(*world) string { return "eyJx.W10.x" }, invalid},
		"a subject that is a list":         {"", func(w *world) string { return w.issuer.Sign(w.job().With("sub", []string{"x"})) }, invalid},
		"a repository that is a number":    {"", func(w *world) string { return w.issuer.Sign(w.job().With("repository_id", 1296269)) }, invalid},
		"a ref that is a mapping": {"", func(w *world) string {
			return w.issuer.Sign(w.job().With("ref", map[string]any{"refs/heads/main": true}))
		}, invalid},
		"no repository":              {"", func(w *world) string { return w.issuer.Sign(w.job().With("repository", nil)) }, invalid},
		"no repository's number":     {"", func(w *world) string { return w.issuer.Sign(w.job().With("repository_id", nil)) }, invalid},
		"another owner's repository": {"", func(w *world) string { return w.issuer.Sign(w.job().With("repository_owner", "evil")) }, invalid},
		"a name of two lines":        {"", func(w *world) string { return w.issuer.Sign(w.job().With("run_id", "1\n2")) }, invalid},
		"a service account of another": {workload.Kubernetes, func(w *world) string {
			return w.issuer.Sign(w.issuer.PodClaims("a", "b", service).With("sub", "system:serviceaccount:a:c"))
		}, invalid},
		"a node's": {workload.Kubernetes, func(w *world) string {
			return w.issuer.Sign(w.issuer.PodClaims("a", "b", service).With("kubernetes.io", map[string]any{"node": "x"}))
		}, invalid},
		"no subject": {workload.OIDC, func(w *world) string { return w.issuer.Sign(w.job().With("sub", nil)) }, invalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kind := tc.kind
			if kind == "" {
				kind = workload.Actions
			}
			w := newWorld(t, kind)
			_, err := w.verify(tc.token(w))
			var e *apierror.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, tc.want, e.Code, e.Error())
			require.Equal(t, http.StatusUnauthorized, e.Status())
			require.NotEmpty(t, e.Hint)
			require.False(t, e.Retryable)
			require.Empty(t, w.seen.ids, "what is not taken is not remembered either")
		})
	}
}

func signedElsewhere(w *world) string {
	other, err := oidcsim.Start(oidcsim.Options{Clock: w.clock})
	if err != nil {
		panic(err)
	}
	defer func() { _ = other.Close() }()
	return other.SignWith(map[string]any{"kid": w.issuer.KeyID()}, w.job())
}

// swapped has the text of one token and the signature of another.
func swapped(w *world) string {
	a, b := w.issuer.Sign(w.job().With("ref", "refs/heads/x")), w.issuer.Sign(w.job())
	return b[:strings.LastIndex(b, ".")] + a[strings.LastIndex(a, "."):]
}

func TestVerifyTakesATokenOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, workload.Actions)
	claims := w.job()
	_, err := w.verify(w.issuer.Sign(claims))
	require.NoError(t, err)
	for name, again := range map[string]oidcsim.Claims{"the same": claims, "signed once more, with another claim": claims.With("ref", "refs/heads/x")} {
		_, err = w.verify(w.issuer.Sign(again))
		require.True(t, apierror.Is(err, apierror.CodeIdentityReplayed), "%s: %v", name, err)
	}
	for _, until := range w.seen.ids {
		require.Greater(t, until, noon.Add(5*time.Minute), "as long as it is valid")
	}
	_, err = w.verify(w.issuer.Sign(w.job()))
	require.NoError(t, err)

	// One without a jti is known by its text.
	token := w.issuer.Sign(w.job().With("jti", nil))
	_, err = w.verify(token)
	require.NoError(t, err)
	_, err = w.verify(token)
	require.True(t, apierror.Is(err, apierror.CodeIdentityReplayed), err)

	w.seen.err = errors.New("the store is away")
	_, err = w.verify(w.issuer.Sign(w.job()))
	require.True(t, apierror.Is(err, apierror.CodeIdentityUnavailable), err)
	require.True(t, apierror.IsRetryable(err))
}

func TestVerifyFollowsTheIssuersKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t, workload.Actions)
	reads := func() int { return w.issuer.Requests(oidcsim.KeysPath) }
	for range 5 {
		_, err := w.verify(w.issuer.Sign(w.job()))
		require.NoError(t, err)
	}
	require.Equal(t, 1, reads(), "they are kept")

	// A key that the issuer does not have is looked for once in ten seconds.
	for range 20 {
		_, err := w.verify(w.issuer.SignWith(map[string]any{"kid": "another"}, w.job()))
		require.True(t, apierror.Is(err, apierror.CodeIdentityInvalid), err)
	}
	require.Equal(t, 1, reads())
	w.pass(11 * time.Second)
	for range 20 {
		_, err := w.verify(w.issuer.SignWith(map[string]any{"kid": "another"}, w.job()))
		require.True(t, apierror.Is(err, apierror.CodeIdentityInvalid), err)
	}
	require.Equal(t, 2, reads())

	// A new one is found at once, then the old one goes.
	w.pass(11 * time.Second)
	old := w.issuer.KeyID()
	require.NoError(t, w.issuer.Rotate())
	_, err := w.verify(w.issuer.Sign(w.job()))
	require.NoError(t, err)
	require.Equal(t, 3, reads())
	require.NotEqual(t, old, w.issuer.KeyID())
}

func TestVerifyForgetsAKeyThatIsWithdrawn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, workload.Actions)
	stolen := func() string { return w.issuer.Sign(w.job()) }
	first := stolen()
	_, err := w.verify(first)
	require.NoError(t, err)
	stolenLater := w.issuer.Sign(w.job().With("exp", noon.Add(2*time.Hour).Unix()))
	require.NoError(t, w.issuer.Rotate())
	w.issuer.Retire()
	w.pass(61 * time.Minute)
	_, err = w.verify(w.issuer.Sign(w.job())) // finds the new one
	require.NoError(t, err)
	w.pass(11 * time.Second)
	_, err = w.verify(stolenLater)
	require.True(t, apierror.Is(err, apierror.CodeIdentityInvalid), err)
}

func TestVerifyWhileTheIssuerIsAway(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]func(i *oidcsim.Issuer){
		"an error": func(i *oidcsim.Issuer) { i.Outage(http.StatusBadGateway) },
		"no JSON":  func(i *oidcsim.Issuer) { i.Override(oidcsim.KeysPath, http.NotFoundHandler()) },
		"a redirection": func(i *oidcsim.Issuer) {
			i.Override(oidcsim.KeysPath, http.RedirectHandler(i.URL()+oidcsim.KeysPath+"2", http.StatusFound))
		},
		"somebody else's": func(i *oidcsim.Issuer) {
			i.Override(oidcsim.DiscoveryPath, says(`{"issuer": "https://evil.example.org", "jwks_uri": "`+i.URL()+oidcsim.KeysPath+`"}`))
		},
		"keys in the clear": func(i *oidcsim.Issuer) {
			i.Override(oidcsim.DiscoveryPath, says(`{"issuer": "`+i.URL()+`", "jwks_uri": "http://192.0.2.1/keys"}`))
		},
		"keys nowhere": func(i *oidcsim.Issuer) { i.Override(oidcsim.DiscoveryPath, says(`{"issuer": "`+i.URL()+`"}`)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, workload.Actions)
			trouble(w.issuer)
			_, err := w.verify(w.issuer.Sign(w.job()))
			require.True(t, apierror.Is(err, apierror.CodeIdentityUnavailable), err)
			require.True(t, apierror.IsRetryable(err))

			w = newWorld(t, workload.Actions)
			_, err = w.verify(w.issuer.Sign(w.job()))
			require.NoError(t, err)
			trouble(w.issuer)
			w.pass(23 * time.Hour)
			_, err = w.verify(w.issuer.Sign(w.job()))
			require.NoError(t, err, "the known keys go on")
			w.pass(time.Hour)
			_, err = w.verify(w.issuer.Sign(w.job()))
			require.True(t, apierror.Is(err, apierror.CodeIdentityUnavailable), "until they are a day old: %v", err)
		})
	}
}

func says(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) })
}

// Nobody waits for an issuer that is slow where the keys are known.
func TestTryNamesTheIssuersThatDoNotAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, workload.Actions)
	require.NoError(t, w.Try(t.Context()))
	w = newWorld(t, workload.Kubernetes)
	w.issuer.Outage(http.StatusBadGateway)
	err := w.Try(t.Context())
	require.ErrorContains(t, err, w.issuer.URL()+": ")
	require.ErrorContains(t, err, "answers with 502")
}

func TestVerifyWaitsForNoIssuerWhoseKeysAreKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, workload.Actions)
	_, err := w.verify(w.issuer.Sign(w.job()))
	require.NoError(t, err)
	w.issuer.Delay(time.Hour)
	w.pass(2 * time.Hour)
	_, err = w.verify(w.issuer.Sign(w.job()))
	require.NoError(t, err)

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = w.Verify(ctx, secret.New(w.issuer.SignWith(map[string]any{"kid": "another"}, w.job())))
	require.True(t, apierror.Is(err, apierror.CodeIdentityUnavailable), err)
}

func TestVerifyAsksOnceForAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t, workload.Actions)
	w.issuer.Delay(20 * time.Millisecond)
	var all sync.WaitGroup
	for range 30 {
		all.Go(func() {
			_, err := w.verify(w.issuer.Sign(w.job()))
			require.NoError(t, err)
		})
	}
	all.Wait()
	require.Equal(t, 1, w.issuer.Requests(oidcsim.KeysPath))
}

func TestResembles(t *testing.T) {
	t.Parallel()
	for token, want := range map[string]bool{"eyJh.eyJp.c2ln": true, "0123456789abcdef": false, "eyJh": false, "ghs_x.y.z": false, "": false} {
		require.Equal(t, want, workload.Resembles(secret.New(token)), token)
	}
}

func FuzzVerify(f *testing.F) {
	w := newWorld(f, workload.Actions)
	good := w.issuer.Sign(w.job())
	f.Add(good)
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, token string) {
		if token == good {
			return
		}
		_, err := w.verify(token)
		require.Error(t, err)
		require.NotEqual(t, apierror.CodeInternal, apierror.CodeOf(err))
	})
}

func BenchmarkVerifyRefused(b *testing.B) {
	for name, token := range map[string]func(w *world) string{
		"signature": swapped,
		"kid":       func(w *world) string { return w.issuer.SignWith(map[string]any{"kid": "another"}, w.job()) },
		"expired":   func(w *world) string { return w.issuer.Sign(w.job().With("exp", noon.Add(-time.Second).Unix())) },
	} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, workload.Actions)
			_, err := w.verify(w.issuer.Sign(w.job()))
			require.NoError(b, err)
			bad := token(w)
			for b.Loop() {
				if _, err := w.verify(bad); err == nil {
					b.Fatal("it was taken")
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "refusals/s")
		})
	}
}
