package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/credential"
	"github.com/ghscoped/ghscoped-service/internal/deliver"
	"github.com/ghscoped/ghscoped-service/internal/git"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// writeStore writes one line for git's "store" helper (git-credential-store(1)),
// in place of what the file held, and notes that it has done so: status and logout
// are about this token, too.
func (in invocation) writeStore(file string, host *url.URL, password secret.String, expires time.Time) error {
	file, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	note := in.storeNote(host)
	if err := os.MkdirAll(filepath.Dir(note), 0o700); err != nil {
		return fmt.Errorf("the credential cannot be written: %w", err)
	}
	if err := writePrivate(note, fmt.Sprintf("%s\n%d\n", file, expires.Unix())); err != nil {
		return err
	}
	line := url.URL{Scheme: host.Scheme, Host: host.Host, User: url.UserPassword(credential.Username, password.Reveal())}
	return writePrivate(file, line.String()+"\n")
}

// writePrivate replaces a file by one of the mode 0600.
func writePrivate(file, text string) error {
	temporary, err := os.CreateTemp(filepath.Dir(file), ".ghscoped-*") // of that mode
	if err != nil {
		return fmt.Errorf("the credential cannot be written: %w", err)
	}
	_, writeErr := temporary.WriteString(text)
	if err = errors.Join(writeErr, temporary.Close()); err == nil {
		err = os.Rename(temporary.Name(), file)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("the credential cannot be written: %w", err), os.Remove(temporary.Name()))
	}
	return nil
}

// storeNote is the file with the name of the one that writeStore wrote, and with the
// token's expiry, which git's own format has no place for.
func (in invocation) storeNote(host *url.URL) string {
	return filepath.Join(in.getenv("HOME"), ".config", "ghscoped", deliver.Folder(host), "store-file")
}

// keptInStore reads back what writeStore wrote; empty where it is not there any more.
// git's helper may have put more lines into that file by now.
func (in invocation) keptInStore(host *url.URL) (credential.Request, error) {
	file, expiry, err := in.readStoreNote(host)
	if err != nil || file == "" {
		return credential.Request{}, err
	}
	content, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return credential.Request{}, err
	}
	for line := range strings.Lines(string(content)) {
		if kept, ok := ofStore(line, host); ok {
			kept.ExpiresAt = expiry
			return kept, nil
		}
	}
	return credential.Request{}, nil
}

// ofStore reads a line of git's "store" helper; ok is false where it is not about one
// of our tokens for a host. git writes the colon before a port as %3a.
func ofStore(line string, host *url.URL) (kept credential.Request, ok bool) {
	line = strings.TrimSpace(strings.ReplaceAll(line, "%3a", ":"))
	kept, err := credential.Parse(strings.NewReader("url=" + line + "\n"))
	return kept, err == nil && kept.Username == credential.Username && !kept.Password.Empty() && kept.For(host)
}

func (in invocation) readStoreNote(host *url.URL) (file string, expiry time.Time, err error) {
	note, err := os.ReadFile(in.storeNote(host))
	if errors.Is(err, fs.ErrNotExist) {
		return "", expiry, nil
	}
	if err != nil {
		return "", expiry, err
	}
	file, rest, _ := strings.Cut(string(note), "\n")
	seconds, err := strconv.ParseInt(strings.TrimSpace(rest), 10, 64)
	return file, time.Unix(seconds, 0), err
}

// removeStore takes out what writeStore wrote, and leaves the lines of others.
func (in invocation) removeStore(host *url.URL) error {
	file, _, err := in.readStoreNote(host)
	if err != nil || file == "" {
		return err
	}
	content, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var others strings.Builder
	for line := range strings.Lines(string(content)) {
		if _, ours := ofStore(line, host); !ours {
			others.WriteString(line)
		}
	}
	switch {
	case others.Len() == 0: // git may have emptied it by now
		if err = os.Remove(file); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	case others.Len() < len(content):
		err = writePrivate(file, others.String())
	}
	note := in.storeNote(host)
	err = errors.Join(err, os.Remove(note))
	for folder := filepath.Dir(note); os.Remove(folder) == nil && filepath.Base(folder) != "ghscoped"; {
		folder = filepath.Dir(folder)
	}
	return err
}

// forget takes out the copies of tokens that are of no use any more: the file that
// writeStore wrote, and by a word of git's to its helpers what these have kept; one
// that stands behind ours was told to keep each token.
func (in invocation) forget(ctx context.Context) error {
	host, err := githubURL(in.getenv)
	if err != nil {
		return err
	}
	removed := in.removeStore(host)
	for _, program := range git.OnPath(in.getenv("PATH")) {
		limited, cancel := context.WithTimeout(ctx, trialLimit)
		program.Env = []string{trialVariable + "=" + trialSilence}
		_ = program.Reject(limited, host, credential.Username) // a helper that does not listen has its own way
		cancel()
	}
	return removed
}
