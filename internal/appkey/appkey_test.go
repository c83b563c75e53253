package appkey_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
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
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	good := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey)}))
	as := func(kind string, headers map[string]string) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Headers: headers, Bytes: []byte("marker")}))
	}
	for name, test := range map[string]struct{ content, says string }{
		"text":                 {"marker, not a key", "use the file as GitHub gave it"},
		"nothing":              {" \n", "it is empty"},
		"another kind":         {string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "a key of another kind"},
		"broken":               {as("RSA PRIVATE KEY", nil), "damaged"},
		"cut":                  {good[:len(good)/2], "a part of it is missing"},
		"in one line":          {strings.ReplaceAll(good, "\n", " "), "or its ends of lines"},
		"a certificate":        {as("CERTIFICATE", nil), "it is the public part"},
		"a public key":         {as("PUBLIC KEY", nil), "it is the public part"},
		"a byte order mark":    {"\ufeff" + good, "byte order mark"},
		"UTF-16":               {"\xff\xfe" + strings.Join(strings.Split(good, ""), "\x00"), "UTF-16"},
		"base64":               {base64.StdEncoding.EncodeToString([]byte(good)) + "\n", "encoded in base64 once more"},
		"\\n as text":          {strings.ReplaceAll(good, "\n", `\n`), `the two characters \n`},
		"OpenSSH's form":       {as("OPENSSH PRIVATE KEY", nil), "ssh-keygen -p"},
		"encrypted":            {as("ENCRYPTED PRIVATE KEY", nil), "openssl rsa"},
		"encrypted, as of old": {as("RSA PRIVATE KEY", map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}), "openssl rsa"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "key.pem")
			require.NoError(t, os.WriteFile(path, []byte(test.content), 0o600))
			err := appkey.New(path).Check()
			require.ErrorContains(t, err, path)
			require.ErrorContains(t, err, test.says)
			for _, part := range []string{"arke", good[40:60], "PRIVATE"} {
				require.NotContains(t, err.Error(), part)
			}
			_, err = appkey.New(path).Sign("the-app", time.Now())
			require.Error(t, err)
		})
	}
}
