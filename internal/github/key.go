package github

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/golang-jwt/jwt/v5"
)

// keyFile is the App's private key, read again whenever the file has changed:
// a mounted secret is replaced while the service runs.
type keyFile struct {
	path string

	mu   sync.Mutex
	info os.FileInfo
	key  *rsa.PrivateKey
}

// CheckKeyFile reports what is wrong with a file that is to hold the App's
// private key; nil: it can sign.
func CheckKeyFile(path string) error {
	_, err := (&keyFile{path: path}).load()
	return err
}

// load returns the key. A file that cannot be read or understood is an error,
// not the old key: whoever took the key away meant it.
func (k *keyFile) load() (*rsa.PrivateKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.path == "" {
		return nil, errors.New("no private key of the App is configured")
	}
	info, err := os.Stat(k.path)
	if err != nil {
		return nil, fmt.Errorf("the App's private key: %w", err)
	}
	if k.key != nil && os.SameFile(info, k.info) && info.ModTime().Equal(k.info.ModTime()) && info.Size() == k.info.Size() {
		return k.key, nil
	}
	pem, err := os.ReadFile(k.path)
	if err != nil {
		return nil, fmt.Errorf("the App's private key: %w", err)
	}
	// The parser's own error could quote the file.
	key, err := jwt.ParseRSAPrivateKeyFromPEM(pem)
	if err != nil {
		return nil, fmt.Errorf("%s holds no RSA private key in PEM form", k.path)
	}
	k.key, k.info = key, info
	return key, nil
}
