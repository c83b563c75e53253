package appkey

import (
	"crypto/rsa"
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
	pem, err := os.ReadFile(f.path)
	if err != nil {
		return nil, fmt.Errorf("the App's private key: %w", err)
	}
	// The parser's own error could quote the file.
	key, err := jwt.ParseRSAPrivateKeyFromPEM(pem)
	if err != nil {
		return nil, fmt.Errorf("%s holds no RSA private key in PEM form", f.path)
	}
	f.key, f.info = key, info
	return key, nil
}
