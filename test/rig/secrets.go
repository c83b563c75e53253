package rig

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
)

// Secrets are values that must not be found in what a program leaves behind.
type Secrets struct {
	values  map[string]string // value → what it is
	devices map[string]bool   // SHA-256 of device codes, which nobody has in clear
}

// deviceCode is the form of the simulator's device codes.
var deviceCode = regexp.MustCompile(`\b[0-9a-f]{40}\b`)

// SecretsOf are the tokens and codes that a simulator has ever given out.
func SecretsOf(github *githubsim.Server) *Secrets {
	s := &Secrets{values: map[string]string{}, devices: map[string]bool{}}
	stats := github.Stats()
	for _, token := range stats.Tokens {
		s.Add("a token", token.Token)
		s.Add("a refresh token", token.Refresh)
	}
	for _, device := range stats.DeviceCodes {
		s.Add("a user code", device.UserCode)
		s.devices[device.DeviceCodeSHA256] = true
	}
	return s
}

// Add adds a value; an empty one is none.
func (s *Secrets) Add(what, value string) {
	if value != "" {
		s.values[value] = what
	}
}

// AddKeyFile adds the lines of a file of sealing keys.
func (s *Secrets) AddKeyFile(path string) error {
	content, err := os.ReadFile(path)
	for line := range bytes.Lines(content) {
		s.Add("a sealing key", string(bytes.TrimSpace(line)))
	}
	return err
}

// Len is how many values are looked for.
func (s *Secrets) Len() int { return len(s.values) + len(s.devices) }

// Find names each secret that content holds, in clear, in hexadecimal digits or
// in base64.
func (s *Secrets) Find(content []byte) (found []string) {
	for value, what := range s.values {
		for _, form := range []string{value, hex.EncodeToString([]byte(value)), base64.StdEncoding.EncodeToString([]byte(value))} {
			if bytes.Contains(content, []byte(form)) {
				found = append(found, what)
				break
			}
		}
	}
	for _, code := range deviceCode.FindAll(content, -1) {
		if sum := sha256.Sum256(code); s.devices[hex.EncodeToString(sum[:])] {
			found = append(found, "a device code")
		}
	}
	return found
}

// FindInHub is Find for the log of a Hub, which itself names its sessions there
// ("Setting new xsrf cookie for …"); such a name opens nothing.
func (s *Secrets) FindInHub(log []byte) []string {
	return slices.DeleteFunc(s.Find(log), func(what string) bool { return what == hubSession })
}

// FindIn looks into every file below a folder, and returns how many bytes it
// has read.
func (s *Secrets) FindIn(folder string) (found []string, size int, err error) {
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a program that still runs has done away with it
		}
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		size += len(content)
		for _, what := range s.Find(content) {
			found = append(found, fmt.Sprintf("%s in %s", what, filepath.Base(path)))
		}
		return err
	})
	return found, size, err
}
