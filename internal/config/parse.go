package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/webaddr"
)

// The types of settings, each with a parser of its own.
type (
	// word goes into scopes, headers or queries, so it has no blanks.
	word string
	// listenAddress is a host:port to listen on; the host may be left out.
	listenAddress string
	// folder is an absolute URL path that begins and ends with "/".
	folder string
	// homePath is a path in a user's server.
	homePath string
	// file is the path of a file that can be read.
	file     string
	scopes   []string
	issuers  []Issuer
	logLevel int

	// webURL is an http or https address.
	webURL struct{ *url.URL }
	// originURL is a webURL without a path.
	originURL struct{ *url.URL }
	// secureURL is https, or http on loopback, where nobody can listen in. The
	// demo and the tests run on loopback.
	secureURL struct{ *url.URL }
	// secureHost is a secureURL without a path.
	secureHost struct{ *url.URL }
	// pathURL is a webURL or only a path.
	pathURL struct{ *url.URL }
)

// What a session may last.
const (
	shortestSession = time.Minute
	longestSession  = 8 * time.Hour
)

// parsers read the text of a setting by its type. Their errors are *problem.
func parsers(read ReadFile) map[reflect.Type]env.ParserFunc {
	return map[reflect.Type]env.ParserFunc{
		reflect.TypeFor[word]():          parseWord,
		reflect.TypeFor[bool]():          parseBool,
		reflect.TypeFor[secret.String](): func(text string) (any, error) { return secret.New(text), nil },
		reflect.TypeFor[Identity]():      oneOf(IdentityAny, IdentityBound, IdentityMatch),
		reflect.TypeFor[DeliveryMode]():  oneOf(Push, Pull),
		reflect.TypeFor[scopes]():        parseScopes,
		reflect.TypeFor[issuers]():       parseIssuers,
		reflect.TypeFor[time.Duration](): parseLifetime,
		reflect.TypeFor[logLevel]():      parseLevel,
		reflect.TypeFor[listenAddress](): parseListenAddress,
		reflect.TypeFor[folder]():        parseFolder,
		reflect.TypeFor[homePath]():      parseHomePath,
		reflect.TypeFor[Store]():         parseStore,
		reflect.TypeFor[webURL]():        func(text string) (any, error) { u, err := parseURL(text, false); return webURL{u}, err },
		reflect.TypeFor[originURL]():     func(text string) (any, error) { u, err := parseOrigin(text, false); return originURL{u}, err },
		reflect.TypeFor[secureURL]():     func(text string) (any, error) { u, err := parseURL(text, true); return secureURL{u}, err },
		reflect.TypeFor[secureHost]():    func(text string) (any, error) { u, err := parseOrigin(text, true); return secureHost{u}, err },
		reflect.TypeFor[pathURL]():       parsePathURL,
		reflect.TypeFor[file](): func(path string) (any, error) {
			if _, err := read(path); err != nil {
				return nil, unreadable(err)
			}
			return file(path), nil
		},
		reflect.TypeFor[SecretFile](): func(path string) (any, error) {
			value, err := readSecret(path, read)
			return SecretFile{Path: path, Value: value}, err
		},
	}
}

// misplaced refuses what looks like a secret wherever none belongs, before any
// message could repeat it. An address with a password is left to the parsers
// that say where passwords go.
func misplaced(s Setting, text string) *problem {
	if s.kind == reflect.TypeFor[secret.String]() || !secret.Resembles(text) {
		return nil
	}
	if s.kind == reflect.TypeFor[file]() || s.kind == reflect.TypeFor[SecretFile]() {
		return &problem{"it is not a path: it looks like the key or token itself",
			"write it to a file that only the service can read, and set the path of that file"}
	}
	if addresses := []reflect.Type{
		reflect.TypeFor[webURL](), reflect.TypeFor[originURL](), reflect.TypeFor[secureURL](), reflect.TypeFor[secureHost](),
		reflect.TypeFor[pathURL](), reflect.TypeFor[Store](),
	}; slices.Contains(addresses, s.kind) {
		if u, err := url.Parse(text); err == nil && u.User != nil {
			return nil
		}
	}
	return &problem{"it looks like a secret, which does not belong here", "correct it; where the secret was seen by others, revoke it"}
}

func parseWord(text string) (any, error) {
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return nil, &problem{fmt.Sprintf("%q has a blank or control character", text), "remove it"}
	}
	return word(text), nil
}

func parseBool(text string) (any, error) {
	on, err := strconv.ParseBool(text)
	if err != nil {
		return nil, &problem{fmt.Sprintf("%q is neither true nor false", text), "write true or false"}
	}
	return on, nil
}

func oneOf[T ~string](choices ...T) env.ParserFunc {
	return func(text string) (any, error) {
		if !slices.Contains(choices, T(text)) {
			return nil, &problem{fmt.Sprintf("%q is not known", text), fmt.Sprintf("choose one of %v", choices)}
		}
		return T(text), nil
	}
}

// parseScopes takes a JSON list of strings, the form in which JupyterHub passes
// scopes.
func parseScopes(text string) (any, error) {
	var list scopes
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, &problem{"it is not a JSON list of strings", `write it as ["one","two"]`}
	}
	return list, nil
}

// Kinds of issuers.
const (
	actionsIssuer    = "actions"
	kubernetesIssuer = "kubernetes"
	otherIssuer      = "oidc"
)

// parseIssuers takes words and addresses; where a word has no address, that follows
// from other settings.
func parseIssuers(text string) (any, error) {
	var list issuers
	for n, entry := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' || r == '\n' }) {
		kind, address, given := strings.Cut(entry, "=")
		if kind != actionsIssuer && kind != kubernetesIssuer {
			kind, address, given = otherIssuer, entry, true
		}
		issuer := Issuer{Kind: kind}
		if given {
			u, err := parseURL(address, true)
			if err != nil {
				return nil, &problem{fmt.Sprintf("entry %d is no issuer", n+1), "write actions, kubernetes, or the issuer's https address without a user, password or query"}
			}
			issuer.URL = u
		}
		if slices.ContainsFunc(list, func(i Issuer) bool {
			return i.Kind == kind && kind != otherIssuer || i.URL != nil && given && i.URL.String() == address
		}) {
			return nil, &problem{fmt.Sprintf("entry %d stands twice", n+1), "leave one of them; a second " + kind + " is named by its address alone"}
		}
		list = append(list, issuer)
	}
	return list, nil
}

func parseLifetime(text string) (any, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < shortestSession || d > longestSession {
		return nil, &problem{fmt.Sprintf("%q is not a time between %s and %s", text, shortestSession, longestSession), "write it as 8h or 30m"}
	}
	return d, nil
}

func parseLevel(text string) (any, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(text)); err != nil {
		return nil, &problem{fmt.Sprintf("%q is not a level", text), "choose one of debug, info, warn, error"}
	}
	return logLevel(level), nil
}

func parseListenAddress(text string) (any, error) {
	_, port, err := net.SplitHostPort(text)
	if _, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil {
		return nil, &problem{fmt.Sprintf("%q is not an address to listen on", text), "write it as 127.0.0.1:8080 or :8080"}
	}
	return listenAddress(text), nil
}

func parseFolder(text string) (any, error) {
	if !strings.HasPrefix(text, "/") || strings.HasPrefix(text, "//") || strings.ContainsAny(text, "\\?#") {
		return nil, &problem{fmt.Sprintf("%q is not a path of this Hub", text), `write a path that begins with one "/"`}
	}
	return folder(strings.TrimSuffix(text, "/") + "/"), nil
}

func parseHomePath(text string) (any, error) {
	if !strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "~/") {
		return nil, &problem{fmt.Sprintf("%q is neither absolute nor in the home folder", text), "begin it with / or ~/"}
	}
	return homePath(text), nil
}

func parseURL(text string, secure bool) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, &problem{"it is not an address", "write it as https://host/path"}
	case u.User != nil:
		return nil, &problem{"the address holds a user or password", "remove it"}
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, &problem{fmt.Sprintf("%q is not an http or https address", text), "write it as https://host/path"}
	case u.RawQuery != "" || u.Fragment != "":
		return nil, &problem{"it has a query or fragment", `remove what follows "?" or "#"`}
	case secure && u.Scheme == "http" && !webaddr.Loopback(u.Hostname()):
		return nil, &problem{fmt.Sprintf("%q is not encrypted", text), "use https (http only on loopback)"}
	}
	return u, nil
}

func parseOrigin(text string, secure bool) (*url.URL, error) {
	u, err := parseURL(text, secure)
	if err != nil {
		return nil, err
	}
	if strings.Trim(u.Path, "/") != "" {
		return nil, &problem{fmt.Sprintf("%q has a path", text), "leave only scheme, host and port"}
	}
	return originOf(u), nil
}

func parsePathURL(text string) (any, error) {
	if u, err := url.Parse(text); err == nil && u.Scheme == "" && u.Host == "" && strings.HasPrefix(u.Path, "/") {
		return pathURL{u}, nil
	}
	u, err := parseURL(text, false)
	return pathURL{u}, err
}

func originOf(u *url.URL) *url.URL { return &url.URL{Scheme: u.Scheme, Host: u.Host} }

// parseStore takes bolt:PATH, redis://… or rediss://….
func parseStore(text string) (any, error) {
	if path, ok := strings.CutPrefix(text, "bolt:"); ok && path != "" {
		return Store{Path: path}, nil
	}
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "redis" && u.Scheme != "rediss") || u.Host == "" && u.User == nil {
		return nil, &problem{"it names no store", "write bolt:PATH, redis://host:port/0 or rediss://host:port/0"}
	}
	if u.User != nil || u.Query().Has("username") || u.Query().Has("password") {
		return nil, &problem{"the address holds a user or password", "put them into files: …?username_file=PATH&password_file=PATH"}
	}
	return Store{Redis: u}, nil
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
// that nothing can tell; the error names the setting and its source.
func unreadable(err error) error {
	return &problem{fmt.Sprintf("the file cannot be read: %v", cause(err)), "check the path and its permissions"}
}
