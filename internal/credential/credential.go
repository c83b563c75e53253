package credential

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/webaddr"
)

// Username goes with each token; GitHub reads over it.
const Username = "x-access-token"

// maxInput bounds a question, in bytes. Git's own lines are at most 64 KiB.
const maxInput = 256 << 10

var (
	// ErrMalformed: not what git writes, or a value that could be taken for
	// more than one.
	ErrMalformed = errors.New("not a credential as git writes it")
	// ErrTooLong: more than any git asks.
	ErrTooLong = errors.New("a question of unreasonable length")
)

// Request is what git asks, or tells, a helper. Attributes that are not listed
// are read over, as the protocol wants.
type Request struct {
	Protocol string
	// Host includes the port where there is one.
	Host string
	// Path is given where credential.useHttpPath is set, without a leading "/".
	Path     string
	Username string
	// Password comes with store and erase.
	Password secret.String
	// ExpiresAt comes with a Password that has an expiry; else zero.
	ExpiresAt time.Time
	// WWWAuth are the server's WWW-Authenticate headers (git 2.41).
	WWWAuth []string
	// Capabilities are what this git understands beyond the basics (git 2.46).
	Capabilities []string
}

// Parse reads a request up to its empty line or the end.
func Parse(r io.Reader) (Request, error) {
	var request Request
	limited := &io.LimitedReader{R: r, N: maxInput + 1}
	lines := bufio.NewReader(limited)
	for {
		line, err := lines.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return Request{}, fmt.Errorf("read a credential: %w", err)
		}
		if limited.N <= 0 {
			return Request{}, ErrTooLong
		}
		ended := err != nil
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			return request, nil
		}
		if err := request.set(line); err != nil {
			return Request{}, err
		}
		if ended {
			return request, nil
		}
	}
}

func (r *Request) set(line string) error {
	key, value, found := strings.Cut(line, "=")
	if !found || key == "" || unsafe(line) {
		return ErrMalformed
	}
	switch key {
	case "protocol":
		r.Protocol = value
	case "host":
		r.Host = value
	case "path":
		r.Path = value
	case "username":
		r.Username = value
	case "password":
		r.Password = secret.New(value)
	case "password_expiry_utc":
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return ErrMalformed
		}
		r.ExpiresAt = time.Unix(seconds, 0)
	case "url":
		return r.setURL(value)
	case "wwwauth[]":
		r.WWWAuth = add(r.WWWAuth, value)
	case "capability[]":
		r.Capabilities = add(r.Capabilities, value)
	}
	return nil
}

// add appends to a list; an empty value empties it.
func add(list []string, value string) []string {
	if value == "" {
		return nil
	}
	return append(list, value)
}

// setURL takes an address apart as if its parts had been given one by one.
// Percent escapes may hide what the protocol could not carry.
func (r *Request) setURL(value string) error {
	address, err := url.Parse(value)
	if err != nil || address.Scheme == "" {
		return ErrMalformed
	}
	password, _ := address.User.Password()
	r.Protocol, r.Host, r.Path = address.Scheme, address.Host, strings.TrimPrefix(address.Path, "/")
	r.Username, r.Password = address.User.Username(), secret.New(password)
	if unsafe(r.Host + r.Path + r.Username + password) {
		return ErrMalformed
	}
	return nil
}

// unsafe reports what ends a line, here or for somebody who reads it later.
func unsafe(text string) bool { return strings.ContainsAny(text, "\r\n\x00") }

// For reports whether the request is for a host, given by its web address, and
// over a connection that may carry a credential: https, or http to this very
// machine.
func (r Request) For(host *url.URL) bool {
	return r.Protocol == host.Scheme && webaddr.Private(host) && webaddr.SameHost(r.Protocol, r.Host, host.Host)
}

// Answer is what a helper gives to git.
type Answer struct {
	Username string
	Password secret.String
	// ExpiresAt is left out where it is zero. Git heeds it since 2.40; older
	// ones read over it.
	ExpiresAt time.Time
}

// Write writes the answer to a request. Where git understands it (2.46), the
// answer is marked ephemeral, so that no other helper keeps a copy.
func (a Answer) Write(w io.Writer, to Request) error {
	if unsafe(a.Username) || unsafe(a.Password.Reveal()) || a.Password.Empty() {
		return ErrMalformed
	}
	var text strings.Builder
	if slices.Contains(to.Capabilities, "authtype") {
		text.WriteString("capability[]=authtype\nephemeral=1\n")
	}
	text.WriteString("username=" + a.Username + "\npassword=" + a.Password.Reveal() + "\n")
	if !a.ExpiresAt.IsZero() {
		text.WriteString("password_expiry_utc=" + strconv.FormatInt(a.ExpiresAt.Unix(), 10) + "\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}
