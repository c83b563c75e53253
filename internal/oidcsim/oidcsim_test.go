package oidcsim_test

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/oidcsim"
)

const audience = "https://hub.example.org/services/connect-github"

func start(t *testing.T, o oidcsim.Options) *oidcsim.Issuer {
	t.Helper()
	issuer, err := oidcsim.Start(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, issuer.Close()) })
	return issuer
}

// get asks the issuer, and decodes what it says into v.
func get(t *testing.T, issuer *oidcsim.Issuer, address, bearer string, v any) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	if bearer != "" {
		request.Header.Set("Authorization", "Bearer "+bearer)
	}
	answer, err := issuer.Client().Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	if answer.StatusCode == http.StatusOK {
		require.NoError(t, json.Unmarshal(body, v))
	}
	return answer.StatusCode
}

// published reads a token as its reader does: by discovery and the published keys.
func published(t *testing.T, issuer *oidcsim.Issuer, token string) (jwt.MapClaims, error) {
	t.Helper()
	var document struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	require.Equal(t, http.StatusOK, get(t, issuer, issuer.URL()+oidcsim.DiscoveryPath, "", &document))
	require.Equal(t, issuer.URL(), document.Issuer)
	var set struct {
		Keys []struct{ Kid, N, E string }
	}
	require.Equal(t, http.StatusOK, get(t, issuer, document.Keys, "", &set))

	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(token, claims, func(read *jwt.Token) (any, error) {
		for _, k := range set.Keys {
			if k.Kid == read.Header["kid"] {
				return publicKey(t, k.N, k.E), nil
			}
		}
		return nil, jwt.ErrTokenUnverifiable
	}, jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(issuer.URL()), jwt.WithAudience(audience))
	return claims, err
}

func publicKey(t *testing.T, n, e string) *rsa.PublicKey {
	t.Helper()
	number := func(s string) *big.Int {
		b, err := base64.RawURLEncoding.DecodeString(s)
		require.NoError(t, err)
		return new(big.Int).SetBytes(b)
	}
	return &rsa.PublicKey{N: number(n), E: int(number(e).Int64())}
}

func TestJobAsksForItsToken(t *testing.T) {
	t.Parallel()
	for _, o := range []oidcsim.Options{{}, {TLS: true, Path: "/_services/token"}} {
		issuer := start(t, o)
		requestURL, requestToken := issuer.StartJob(oidcsim.Job{Environment: "production"})
		var answer struct{ Value string }
		require.Equal(t, http.StatusOK, get(t, issuer, requestURL+"&audience="+audience, requestToken, &answer))
		claims, err := published(t, issuer, answer.Value)
		require.NoError(t, err)
		require.Equal(t, "repo:octo/deploy:environment:production", claims["sub"])
		require.Equal(t, "octo/deploy/.github/workflows/deploy.yaml@refs/heads/main", claims["workflow_ref"])
		require.Equal(t, "1", claims["repository_id"])

		var next struct{ Value string }
		require.Equal(t, http.StatusOK, get(t, issuer, requestURL+"&audience="+audience, requestToken, &next))
		again, err := published(t, issuer, next.Value)
		require.NoError(t, err)
		require.NotEqual(t, claims["jti"], again["jti"])

		require.Equal(t, http.StatusUnauthorized, get(t, issuer, requestURL, "another", nil))
		issuer.EndJob(requestToken)
		require.Equal(t, http.StatusUnauthorized, get(t, issuer, requestURL, requestToken, nil))
	}
}

func TestJobClaimsOfEvents(t *testing.T) {
	t.Parallel()
	issuer := start(t, oidcsim.Options{})
	for subject, job := range map[string]oidcsim.Job{
		"repo:octo/deploy:ref:refs/heads/main":    {},
		"repo:octo/deploy:ref:refs/tags/v1":       {Ref: "refs/tags/v1"},
		"repo:octo/deploy:pull_request":           {EventName: "pull_request", Ref: "refs/pull/7/merge"},
		"repo:octo/deploy:environment:staging%3A": {Environment: "staging:"},
	} {
		claims := issuer.JobClaims(job, "")
		require.Equal(t, subject, claims["sub"])
		require.Equal(t, "https://github.com/octo", claims["aud"])
		_, set := claims["environment"]
		require.Equal(t, job.Environment != "", set)
	}
	require.Equal(t, "tag", issuer.JobClaims(oidcsim.Job{Ref: "refs/tags/v1"}, "")["ref_type"])
}

func TestPodClaims(t *testing.T) {
	t.Parallel()
	issuer := start(t, oidcsim.Options{})
	claims, err := published(t, issuer, issuer.Sign(issuer.PodClaims("bots", "mirror", audience)))
	require.NoError(t, err)
	require.Equal(t, "system:serviceaccount:bots:mirror", claims["sub"])
}

func TestSignWithMakesWrongTokens(t *testing.T) {
	t.Parallel()
	issuer, stranger := start(t, oidcsim.Options{}), start(t, oidcsim.Options{})
	claims := issuer.JobClaims(oidcsim.Job{}, audience)
	wrong := map[string]string{
		"no signature":      issuer.SignWith(map[string]any{"alg": "none"}, claims),
		"public key":        issuer.SignWith(map[string]any{"alg": "HS256"}, claims),
		"unknown key":       issuer.SignWith(map[string]any{"kid": "x"}, claims),
		"no key":            issuer.SignWith(map[string]any{"kid": nil}, claims),
		"a stranger's key":  stranger.SignWith(map[string]any{"kid": issuer.KeyID()}, claims),
		"expired":           issuer.Sign(claims.With("exp", time.Now().Add(-time.Hour).Unix())),
		"not yet valid":     issuer.Sign(claims.With("nbf", time.Now().Add(time.Hour).Unix())),
		"another audience":  issuer.Sign(claims.With("aud", "https://elsewhere.example.org")),
		"without audience":  issuer.Sign(claims.With("aud", nil)),
		"claims of a type":  issuer.Sign(claims.With("exp", "tomorrow")),
		"another's address": issuer.Sign(claims.With("iss", stranger.URL())),
	}
	for name, token := range wrong {
		_, err := published(t, issuer, token)
		require.Error(t, err, name)
	}
	big := issuer.Sign(claims.With("padding", strings.Repeat("x", 100_000)))
	require.Greater(t, len(big), 100_000)
	_, err := published(t, issuer, big)
	require.NoError(t, err)
}

func TestRotateAndRetire(t *testing.T) {
	t.Parallel()
	issuer := start(t, oidcsim.Options{})
	old := issuer.Sign(issuer.JobClaims(oidcsim.Job{}, audience))
	require.NoError(t, issuer.Rotate())
	fresh := issuer.Sign(issuer.JobClaims(oidcsim.Job{}, audience))
	for _, token := range []string{old, fresh} {
		_, err := published(t, issuer, token)
		require.NoError(t, err)
	}
	issuer.Retire()
	_, err := published(t, issuer, old)
	require.Error(t, err)
	_, err = published(t, issuer, fresh)
	require.NoError(t, err)
}

func TestIssuerMisbehaves(t *testing.T) {
	t.Parallel()
	issuer := start(t, oidcsim.Options{})
	keys := issuer.URL() + oidcsim.KeysPath
	issuer.Outage(http.StatusServiceUnavailable)
	require.Equal(t, http.StatusServiceUnavailable, get(t, issuer, keys, "", nil))
	issuer.Outage(0)
	issuer.Override(oidcsim.KeysPath, http.NotFoundHandler())
	require.Equal(t, http.StatusNotFound, get(t, issuer, keys, "", nil))
	issuer.Override(oidcsim.KeysPath, nil)
	issuer.Delay(50 * time.Millisecond)
	began := time.Now()
	require.Equal(t, http.StatusOK, get(t, issuer, keys, "", &struct{}{}))
	require.GreaterOrEqual(t, time.Since(began), 50*time.Millisecond)
	require.Equal(t, 3, issuer.Requests(oidcsim.KeysPath))
}
