package hubtest

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
)

// Root is the folder of the module's go.mod, found from the current folder upwards.
func Root() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("hubtest: current folder: %w", err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("hubtest: no go.mod in %s or above it: run this inside the checkout", start)
		}
	}
}

// installed is the path of something demo/install.sh puts into .demo, and an
// error that says how to get it where it is missing.
func installed(part string, elem ...string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	path := filepath.Join(append([]string{root, ".demo", part}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("hubtest: %s is not installed: run demo/install.sh %s", part, part)
	}
	return path, nil
}

// randomHex is a fresh token of n bytes.
func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails, see crypto/rand
	return hex.EncodeToString(b)
}
