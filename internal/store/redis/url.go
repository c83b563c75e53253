package redis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// defaultPrefix keeps our keys apart from those of other programs.
const defaultPrefix = "ghscoped:"

// The limits of one call. A server that does not answer is given up after
// about 5 s, whoever asks may give up earlier.
const (
	dialTimeout    = 2 * time.Second
	commandTimeout = 2 * time.Second
	maxRetries     = 2
)

// place is where the store is: what a URL says.
type place struct {
	options *goredis.UniversalOptions
	prefix  string
}

// parseURL reads redis://USER:PASSWORD@HOST:PORT/DATABASE, or rediss:// for
// TLS, with these parameters:
//
//	username_file, password_file   read at each new connection, so they may change
//	ca_file                        PEM certificates to trust instead of the system's
//	addr                           HOST:PORT of a further node or Sentinel; repeatable
//	master_name                    HOST is a Sentinel, and this is what to ask it for
//	sentinel_password_file         for Sentinels that want a password
//	cluster=true                   HOST is a node of a Cluster
//	prefix                         of all keys, instead of "ghscoped:"
//
// Its errors never quote the URL, which may hold a password.
func parseURL(spec string) (place, error) {
	u, err := url.Parse(spec)
	if err != nil || u.Hostname() == "" || (u.Scheme != "redis" && u.Scheme != "rediss") {
		return place{}, errors.New("not of the form redis://HOST:PORT/DATABASE or rediss://…")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return place{}, errors.New("the parameters behind ? cannot be read")
	}
	parameters := parameters{values: query}
	p := place{prefix: parameters.text("prefix", defaultPrefix)}
	p.options = &goredis.UniversalOptions{
		Addrs:                 []string{address(u.Host)},
		MasterName:            parameters.text("master_name", ""),
		IsClusterMode:         parameters.flag("cluster"),
		DB:                    parameters.database(u.Path),
		SentinelPassword:      parameters.file("sentinel_password_file"),
		ClientName:            "ghscoped-service",
		DialTimeout:           dialTimeout,
		DialerRetries:         1,
		ReadTimeout:           commandTimeout,
		WriteTimeout:          commandTimeout,
		MaxRetries:            maxRetries,
		ContextTimeoutEnabled: true,
		MaintNotificationsConfig: &maintnotifications.Config{
			Mode: maintnotifications.ModeDisabled, // a service of Redis Enterprise
		},
	}
	for _, more := range parameters.all("addr") {
		p.options.Addrs = append(p.options.Addrs, address(more))
	}
	parameters.credentials(u.User, p.options)
	if ca := parameters.text("ca_file", ""); u.Scheme == "rediss" || ca != "" {
		p.options.TLSConfig = parameters.tls(u.Scheme, ca)
	}
	return p, parameters.finish(p)
}

// address adds the port of Redis where none is named.
func address(host string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), "6379")
}

// parameters takes the known ones out of values and gathers what is wrong.
type parameters struct {
	values url.Values
	faults []error
}

func (p *parameters) fault(format string, args ...any) {
	p.faults = append(p.faults, fmt.Errorf(format, args...))
}

func (p *parameters) all(name string) []string {
	values := p.values[name]
	delete(p.values, name)
	return values
}

func (p *parameters) text(name, otherwise string) string {
	values := p.all(name)
	if len(values) > 1 {
		p.fault("%s is given %d times", name, len(values))
	}
	if len(values) == 0 || values[0] == "" {
		return otherwise
	}
	return values[0]
}

func (p *parameters) flag(name string) bool {
	text := p.text(name, "false")
	value, err := strconv.ParseBool(text)
	if err != nil {
		p.fault("%s is neither true nor false", name)
	}
	return value
}

func (p *parameters) database(path string) int {
	path = strings.Trim(path, "/")
	if path == "" {
		return 0
	}
	number, err := strconv.Atoi(path)
	if err != nil || number < 0 {
		p.fault("the database is not a number")
	}
	return number
}

func (p *parameters) file(name string) string {
	path := p.text(name, "")
	if path == "" {
		return ""
	}
	content, err := readLine(path)
	if err != nil {
		p.fault("%s: %w", name, err)
	}
	return content
}

// credentials come from the URL or from files; a file wins, and is read again
// for each connection.
func (p *parameters) credentials(user *url.Userinfo, options *goredis.UniversalOptions) {
	options.Username = user.Username()
	options.Password, _ = user.Password()
	files := map[string]string{
		"username_file": p.text("username_file", ""),
		"password_file": p.text("password_file", ""),
	}
	fixed := map[string]string{"username_file": options.Username, "password_file": options.Password}
	for name, path := range files {
		if path == "" {
			continue
		}
		if _, err := readLine(path); err != nil {
			p.fault("%s: %w", name, err)
		}
	}
	if files["username_file"] == "" && files["password_file"] == "" {
		return
	}
	options.CredentialsProviderContext = func(context.Context) (username, password string, err error) {
		read := func(name string) string {
			if files[name] == "" {
				return fixed[name]
			}
			content, readErr := readLine(files[name])
			err = errors.Join(err, readErr)
			return content
		}
		return read("username_file"), read("password_file"), err
	}
}

func (p *parameters) tls(scheme, caFile string) *tls.Config {
	if scheme != "rediss" {
		p.fault("ca_file needs rediss://")
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile == "" {
		return config
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		p.fault("ca_file: %w", unnamed(err))
		return config
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		p.fault("ca_file %s holds no certificate", caFile)
	}
	return config
}

// finish reports everything that is wrong, together.
func (p *parameters) finish(found place) error {
	for name := range p.values {
		p.fault("there is no parameter %q", name)
	}
	if strings.ContainsAny(found.prefix, "{}") {
		p.fault("prefix holds a brace")
	}
	options := found.options
	if options.IsClusterMode && options.MasterName != "" {
		p.fault("cluster and master_name exclude each other")
	}
	if options.IsClusterMode && options.DB != 0 {
		p.fault("a Cluster has no database %d", options.DB)
	}
	if len(options.Addrs) > 1 && !options.IsClusterMode && options.MasterName == "" {
		p.fault("addr needs cluster=true or master_name")
	}
	return errors.Join(p.faults...)
}

func readLine(path string) (string, error) {
	content, err := os.ReadFile(path)
	return strings.TrimRight(string(content), "\r\n"), unnamed(err)
}

// unnamed is the error without the path, which may be a password by mistake.
func unnamed(err error) error {
	if named, ok := errors.AsType[*fs.PathError](err); ok {
		return named.Err
	}
	return err
}
