package appkey_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/appkey"
)

func write(t *testing.T, path, kind string, der []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

func TestSignIsTheAppsForTenMinutes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.pem")
	file := appkey.New(path)
	require.Error(t, file.Check(), "no file yet")
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for range 2 { // the second time with another key in the same place
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		require.NoError(t, err)
		write(t, path, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
		require.NoError(t, file.Check())
		signed, err := file.Sign("the-app", now)
		require.NoError(t, err)
		var claims jwt.RegisteredClaims
		_, err = jwt.ParseWithClaims(signed.Reveal(), &claims, func(*jwt.Token) (any, error) { return &key.PublicKey, nil },
			jwt.WithValidMethods([]string{"RS256"}), jwt.WithTimeFunc(func() time.Time { return now }))
		require.NoError(t, err)
		require.Equal(t, "the-app", claims.Issuer)
		require.Equal(t, now.Add(-time.Minute), claims.IssuedAt.UTC())
		require.Equal(t, now.Add(9*time.Minute), claims.ExpiresAt.UTC())
		require.NoError(t, os.Remove(path))
		_, err = file.Sign("the-app", now)
		require.Error(t, err, "whoever took the key away meant it")
	}
}

func TestNewNamesAKeyThatIsNoneWithoutShowingIt(t *testing.T) {
	t.Parallel()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(ec)
	require.NoError(t, err)
	for name, content := range map[string]string{
		"text":          "marker, not a key",
		"empty":         "",
		"another kind":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"broken":        "-----BEGIN RSA PRIVATE KEY-----\nbWFya2Vy\n-----END RSA PRIVATE KEY-----\n",
		"a certificate": "-----BEGIN CERTIFICATE-----\nbWFya2Vy\n-----END CERTIFICATE-----\n",
	} {
		path := filepath.Join(t.TempDir(), "key.pem")
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		err := appkey.New(path).Check()
		require.ErrorContains(t, err, path, name)
		require.NotContains(t, err.Error(), "arke", name)
		_, err = appkey.New(path).Sign("the-app", time.Now())
		require.Error(t, err, name)
	}
}
