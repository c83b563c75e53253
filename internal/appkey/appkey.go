package appkey

import (
	"bytes"
	"crypto/rsa"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// File is a file with the App's private key (PEM, RSA), read again whenever it
// has changed: a mounted secret is replaced while the service runs. Safe for
// concurrent use.
type File struct {
	path string

	mu   sync.Mutex
	info os.FileInfo
	key  *rsa.PrivateKey
}

// New names the file; it is not read yet.
func New(path string) *File { return &File{path: path} }

// Check reports what is wrong with the file; nil: it can sign.
func (f *File) Check() error {
	_, err := f.load()
	return err
}

// Sign makes what proves to be the App, by GitHub's clock, for the ten minutes
// that GitHub allows at most, the first of them in the past.
func (f *File) Sign(clientID string, now time.Time) (secret.String, error) {
	key, err := f.load()
	if err != nil {
		return secret.String{}, err
	}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.RegisteredClaims{
		Issuer:    clientID,
		IssuedAt:  jwt.NewNumericDate(now.Add(-time.Minute)),
		ExpiresAt: jwt.NewNumericDate(now.Add(9 * time.Minute)),
	}).SignedString(key)
	if err != nil {
		return secret.String{}, fmt.Errorf("the App's private key: %w", err)
	}
	return secret.New(signed), nil
}

// fault says what is wrong with a text that is no key, and what to do, without a word
// of it.
func fault(text []byte) string {
	const again = "use the file as GitHub gave it, or generate a new key in the App's settings"
	block, _ := pem.Decode(text)
	switch {
	case len(bytes.TrimSpace(text)) == 0:
		return "it is empty; " + again
	case bytes.HasPrefix(text, []byte("\xef\xbb\xbf")) || bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")):
		return "it begins with a byte order mark, or is UTF-16, as some editors write it; " + again
	case block == nil && bytes.Contains(text, []byte(`\n`)) && bytes.Contains(text, []byte("-----BEGIN")):
		return `its lines are joined by the two characters \n; put real ends of lines in their place`
	case block == nil && isPEMInBase64(text):
		return "it is encoded in base64 once more, as in a Kubernetes Secret's data; decode it, or use stringData"
	case block == nil && bytes.Contains(text, []byte("-----BEGIN")):
		return "a part of it is missing, or its ends of lines; " + again
	case block == nil:
		return again
	}
	switch block.Type {
	case "OPENSSH PRIVATE KEY":
		return "it is in OpenSSH's form; convert it: ssh-keygen -p -N '' -m PEM -f FILE"
	case "ENCRYPTED PRIVATE KEY":
		return "it is encrypted; decrypt it: openssl rsa -in FILE -out NEW"
	case "PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE":
		return "it is the public part; " + again
	}
	if _, encrypted := block.Headers["DEK-Info"]; encrypted {
		return "it is encrypted; decrypt it: openssl rsa -in FILE -out NEW"
	}
	return "it is a key of another kind, or damaged; GitHub's are RSA; " + again
}

func isPEMInBase64(text []byte) bool {
	decoded, err := base64.StdEncoding.DecodeString(string(bytes.Join(bytes.Fields(text), nil)))
	return err == nil && bytes.Contains(decoded, []byte("-----BEGIN"))
}

// load returns the key. A file that cannot be read or understood is an error,
// not the old key: whoever took the key away meant it.
func (f *File) load() (*rsa.PrivateKey, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	if err != nil {
		return nil, fmt.Errorf("the App's private key: %w", err)
	}
	if f.key != nil && os.SameFile(info, f.info) && info.ModTime().Equal(f.info.ModTime()) && info.Size() == f.info.Size() {
		return f.key, nil
	}
	text, err := os.ReadFile(f.path)
	if err != nil {
		return nil, fmt.Errorf("the App's private key: %w", err)
	}
	// The parser's own error could quote the file.
	key, err := jwt.ParseRSAPrivateKeyFromPEM(text)
	if err != nil {
		return nil, fmt.Errorf("%s holds no RSA private key in PEM form: %s", f.path, fault(text))
	}
	f.key, f.info = key, info
	return key, nil
}
