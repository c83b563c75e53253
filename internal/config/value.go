package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/webaddr"
)

// value parses text into a field of a Config and prints the field again, as
// flag.Value does. Set reports a *problem.
type value interface {
	Set(text string) error
	String() string
}

// misplaced refuses what looks like a secret wherever none belongs, before any
// message could repeat it. An address with a password is left to the types that
// say where passwords go.
func misplaced(v value, text string) error {
	if !secret.Resembles(text) {
		return nil
	}
	switch v.(type) {
	case secretValue:
		return nil
	case fileValue, secretFileValue:
		return &problem{"it is not a path: it looks like the key or token itself",
			"write it to a file that only the service can read, and set the path of that file"}
	case urlValue, storeValue:
		if u, err := url.Parse(text); err == nil && u.User != nil {
			return nil
		}
	}
	return &problem{"it looks like a secret, which does not belong here", "correct it; where the secret was seen by others, revoke it"}
}

type textValue struct{ to *string }

func (v textValue) Set(text string) error {
	*v.to = text
	return nil
}
func (v textValue) String() string { return *v.to }

// wordValue is text that goes into scopes, headers or queries: no blanks.
type wordValue struct{ to *string }

func (v wordValue) Set(text string) error {
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return &problem{fmt.Sprintf("%q has a blank or control character", text), "remove it"}
	}
	*v.to = text
	return nil
}
func (v wordValue) String() string { return *v.to }

type boolValue struct{ to *bool }

func (v boolValue) Set(text string) error {
	on, err := strconv.ParseBool(text)
	if err != nil {
		return &problem{fmt.Sprintf("%q is neither true nor false", text), "write true or false"}
	}
	*v.to = on
	return nil
}
func (v boolValue) String() string { return strconv.FormatBool(*v.to) }

type choiceValue[T ~string] struct {
	to      *T
	choices []T
}

func (v choiceValue[T]) Set(text string) error {
	if !slices.Contains(v.choices, T(text)) {
		return &problem{fmt.Sprintf("%q is not known", text), fmt.Sprintf("choose one of %v", v.choices)}
	}
	*v.to = T(text)
	return nil
}
func (v choiceValue[T]) String() string { return string(*v.to) }

// listValue is a JSON list of strings, the form in which JupyterHub passes
// scopes.
type listValue struct{ to *[]string }

func (v listValue) Set(text string) error {
	var list []string
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return &problem{"it is not a JSON list of strings", `write it as ["one","two"]`}
	}
	*v.to = list
	return nil
}
func (v listValue) String() string {
	if *v.to == nil {
		return ""
	}
	encoded, _ := json.Marshal(*v.to) // a list of strings always encodes
	return string(encoded)
}

type durationValue struct {
	to         *time.Duration
	least, max time.Duration
}

func (v durationValue) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d < v.least || d > v.max {
		return &problem{fmt.Sprintf("%q is not a time between %s and %s", text, v.least, v.max), "write it as 8h or 30m"}
	}
	*v.to = d
	return nil
}
func (v durationValue) String() string { return v.to.String() }

type levelValue struct{ to *slog.Level }

func (v levelValue) Set(text string) error {
	if err := v.to.UnmarshalText([]byte(text)); err != nil {
		return &problem{fmt.Sprintf("%q is not a level", text), "choose one of debug, info, warn, error"}
	}
	return nil
}
func (v levelValue) String() string { return strings.ToLower(v.to.String()) }

// addressValue is a host:port to listen on; the host may be left out.
type addressValue struct{ to *string }

func (v addressValue) Set(text string) error {
	_, port, err := net.SplitHostPort(text)
	if _, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil {
		return &problem{fmt.Sprintf("%q is not an address to listen on", text), "write it as 127.0.0.1:8080 or :8080"}
	}
	*v.to = text
	return nil
}
func (v addressValue) String() string { return *v.to }

// pathValue is an absolute URL path that begins and, where dir is set, ends
// with "/".
type pathValue struct {
	to  *string
	dir bool
}

func (v pathValue) Set(text string) error {
	if !strings.HasPrefix(text, "/") || strings.HasPrefix(text, "//") || strings.ContainsAny(text, "\\?#") {
		return &problem{fmt.Sprintf("%q is not a path of this Hub", text), `write a path that begins with one "/"`}
	}
	if v.dir && !strings.HasSuffix(text, "/") {
		text += "/"
	}
	*v.to = text
	return nil
}
func (v pathValue) String() string { return *v.to }

// homePathValue is a path in a user's server.
type homePathValue struct{ to *string }

func (v homePathValue) Set(text string) error {
	if !strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "~/") {
		return &problem{fmt.Sprintf("%q is neither absolute nor in the home folder", text), "begin it with / or ~/"}
	}
	*v.to = text
	return nil
}
func (v homePathValue) String() string { return *v.to }

// urlRule says which addresses a urlValue takes; the zero rule: http and https.
type urlRule int

const (
	// safeHTTP: https, or http on loopback, where nobody can listen in. The
	// demo and the tests run on loopback.
	safeHTTP urlRule = iota + 1
	// orPath: http, https, or only a path.
	orPath
)

type urlValue struct {
	to   **url.URL
	rule urlRule
	// origin: nothing may follow the host.
	origin bool
}

func (v urlValue) Set(text string) error {
	u, err := url.Parse(text)
	if err != nil {
		return &problem{"it is not an address", "write it as https://host/path"}
	}
	if v.rule == orPath && u.Scheme == "" && u.Host == "" && strings.HasPrefix(u.Path, "/") {
		*v.to = u
		return nil
	}
	if err := checkURL(u, v.rule); err != nil {
		return err
	}
	if v.origin && strings.Trim(u.Path, "/") != "" {
		return &problem{fmt.Sprintf("%q has a path", u.Redacted()), "leave only scheme, host and port"}
	}
	if v.origin {
		u = originOf(u)
	}
	*v.to = u
	return nil
}

func (v urlValue) String() string {
	if *v.to == nil {
		return ""
	}
	return (*v.to).Redacted()
}

func checkURL(u *url.URL, rule urlRule) error {
	shown := u.Redacted()
	switch {
	case u.User != nil:
		return &problem{"the address holds a user or password", "remove it"}
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return &problem{fmt.Sprintf("%q is not an http or https address", shown), "write it as https://host/path"}
	case u.RawQuery != "" || u.Fragment != "":
		return &problem{"it has a query or fragment", `remove what follows "?" or "#"`}
	case rule == safeHTTP && u.Scheme == "http" && !webaddr.Loopback(u.Hostname()):
		return &problem{fmt.Sprintf("%q is not encrypted", shown), "use https (http only on loopback)"}
	}
	return nil
}

func originOf(u *url.URL) *url.URL { return &url.URL{Scheme: u.Scheme, Host: u.Host} }

// storeValue is bolt:PATH, redis://… or rediss://….
type storeValue struct{ to *Store }

func (v storeValue) Set(text string) error {
	if path, ok := strings.CutPrefix(text, "bolt:"); ok && path != "" {
		v.to.Path, v.to.Redis = path, nil
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "redis" && u.Scheme != "rediss") || u.Host == "" && u.User == nil {
		return &problem{"it names no store", "write bolt:PATH, redis://host:port/0 or rediss://host:port/0"}
	}
	if u.User != nil || u.Query().Has("username") || u.Query().Has("password") {
		return &problem{"the address holds a user or password", "put them into files: …?username_file=PATH&password_file=PATH"}
	}
	v.to.Path, v.to.Redis = "", u
	return nil
}

func (v storeValue) String() string {
	switch {
	case v.to.Redis != nil:
		return v.to.Redis.Redacted()
	case v.to.Path != "":
		return "bolt:" + v.to.Path
	}
	return ""
}

// fileValue is the path of a file that must be readable.
type fileValue struct {
	to   *string
	read ReadFile
}

func (v fileValue) Set(path string) error {
	if _, err := v.read(path); err != nil {
		return unreadable(err)
	}
	*v.to = path
	return nil
}
func (v fileValue) String() string { return *v.to }

// secretFileValue is the path of a file that holds one secret.
type secretFileValue struct {
	to   *SecretFile
	read ReadFile
}

func (v secretFileValue) Set(path string) error {
	value, err := readSecret(path, v.read)
	if err != nil {
		return err
	}
	*v.to = SecretFile{Path: path, Value: value}
	return nil
}
func (v secretFileValue) String() string { return v.to.Path }

// secretValue is a secret given directly.
type secretValue struct{ to *SecretFile }

func (v secretValue) Set(text string) error {
	// A file, when one is named, has been read already; that both are set is
	// reported as a contradiction.
	if v.to.Path == "" {
		v.to.Value = secret.New(text)
	}
	return nil
}
func (v secretValue) String() string {
	if v.to.Path != "" {
		return ""
	}
	return v.to.Value.String()
}

// readSecret trims the line end that editors and "echo" leave behind.
func readSecret(path string, read ReadFile) (secret.String, error) {
	content, err := read(path)
	if err != nil {
		return secret.String{}, unreadable(err)
	}
	text := strings.TrimSpace(string(content))
	if text == "" {
		return secret.String{}, &problem{fmt.Sprintf("the file %s is empty", path), "put the value into it"}
	}
	return secret.New(text), nil
}

// unreadable does not repeat the path, which may be the secret itself, in a form
// that nothing can tell; the fault names the setting and its source.
func unreadable(err error) error {
	return &problem{fmt.Sprintf("the file cannot be read: %v", cause(err)), "check the path and its permissions"}
}
