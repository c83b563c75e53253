package redis

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strconv"
	"strings"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// defaultPrefix keeps our keys apart from those of other programs.
const defaultPrefix = "ghscoped:"

// defaults are parameters of go-redis where the URL has no others. A server that
// does not answer is given up after about 5 s.
var defaults = map[string]string{
	"client_name": "ghscoped-service", "dial_timeout": "2s", "read_timeout": "2s", "write_timeout": "2s", "max_retries": "2",
}

// refused are parameters of go-redis that would read from replicas, which are
// late, or trust any server; and secrets, which belong in files.
var refused = []string{
	"read_only", "replica_only", "route_by_latency", "route_randomly", "use_disconnected_replicas", "skip_verify", "username", "password",
}

// onConnect is called for each new connection.
type onConnect = func(context.Context, *goredis.Conn) error

// connect makes the client that a URL describes, and says what all our keys
// begin with. go-redis reads the URL; these parameters are ours:
//
//	username_file, password_file   read at each new connection, so they may change
//	ca_file                        PEM certificates to trust instead of the system's
//	sentinel_password_file         for Sentinels that want a password
//	cluster=true                   HOST is a node of a Cluster
//	prefix                         of all keys, instead of "ghscoped:"
//
// Errors never quote the URL, which may hold a password.
func connect(spec string, look onConnect) (goredis.UniversalClient, string, error) {
	u, err := url.Parse(spec)
	if err != nil || u.Hostname() == "" || (u.Scheme != "redis" && u.Scheme != "rediss") {
		return nil, "", errors.New("not of the form redis://HOST:PORT/DATABASE or rediss://…")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, "", errors.New("the parameters behind ? cannot be read")
	}
	ours, err := takeOurs(query, u)
	if err != nil {
		return nil, "", err
	}
	for name, value := range defaults {
		if !query.Has(name) {
			query.Set(name, value)
		}
	}
	u.RawQuery = query.Encode()
	client, err := ours.client(u.String(), query.Has("master_name"), look)
	return client, ours.prefix, err
}

// own is what the URL says that go-redis does not know.
type own struct {
	prefix           string
	cluster          bool
	sentinelPassword string
	authorities      *x509.CertPool
	credentials      func(context.Context) (username, password string, err error)
}

// takeOurs takes our parameters out of the query; its error names everything
// that is wrong with them.
func takeOurs(query url.Values, u *url.URL) (ours own, err error) {
	p := parameters{values: query}
	for _, name := range refused {
		if query.Has(name) {
			p.fault("the parameter %s is not supported", name)
		}
	}
	ours.prefix = cmp.Or(p.take("prefix"), defaultPrefix)
	if strings.ContainsAny(ours.prefix, "{}") {
		p.fault("prefix holds a brace")
	}
	if ours.cluster, err = strconv.ParseBool(cmp.Or(p.take("cluster"), "false")); err != nil {
		p.fault("cluster is neither true nor false")
	}
	if ours.cluster && strings.Trim(u.Path, "/0") != "" {
		p.fault("a Cluster has no database but 0")
	}
	ours.sentinelPassword, _ = readLine(p.takeFile("sentinel_password_file"))
	if user, password := p.takeFile("username_file"), p.takeFile("password_file"); user != "" || password != "" {
		ours.credentials = func(context.Context) (string, string, error) {
			username, userErr := readLine(user)
			secret, err := readLine(password)
			return username, secret, errors.Join(userErr, err)
		}
	}
	if path := p.takeFile("ca_file"); path != "" {
		pem, _ := os.ReadFile(path) // takeFile has said if that fails
		ours.authorities = x509.NewCertPool()
		if !ours.authorities.AppendCertsFromPEM(pem) {
			p.fault("ca_file %s holds no certificate", path)
		}
		if u.Scheme != "rediss" {
			p.fault("ca_file needs rediss://")
		}
	}
	return ours, errors.Join(p.faults...)
}

// client lets go-redis read the rest of the URL. It has one type of options for
// each kind of server, with the same fields.
func (o own) client(u string, sentinel bool, look onConnect) (goredis.UniversalClient, error) {
	off := &maintnotifications.Config{Mode: maintnotifications.ModeDisabled} // a service of Redis Enterprise
	switch {
	case o.cluster:
		options, err := goredis.ParseClusterURL(u)
		if err != nil {
			return nil, err
		}
		o.trust(options.TLSConfig)
		options.CredentialsProviderContext, options.OnConnect, options.MaintNotificationsConfig = o.credentials, look, off
		options.ContextTimeoutEnabled, options.DialerRetries = true, 1
		return goredis.NewClusterClient(options), nil
	case sentinel:
		options, err := goredis.ParseFailoverURL(u)
		if err != nil {
			return nil, err
		}
		o.trust(options.TLSConfig)
		options.CredentialsProviderContext, options.OnConnect, options.SentinelPassword = o.credentials, look, o.sentinelPassword
		options.ContextTimeoutEnabled, options.DialerRetries = true, 1
		return goredis.NewFailoverClient(options), nil
	}
	options, err := goredis.ParseURL(u)
	if err != nil {
		return nil, err
	}
	o.trust(options.TLSConfig)
	options.CredentialsProviderContext, options.OnConnect, options.MaintNotificationsConfig = o.credentials, look, off
	options.ContextTimeoutEnabled, options.DialerRetries = true, 1
	return goredis.NewClient(options), nil
}

// trust adds the authorities of ca_file. Each of several servers has to show a
// certificate for its own name, not for the first one's.
func (o own) trust(config *tls.Config) {
	if config != nil {
		config.ServerName, config.MinVersion, config.RootCAs = "", tls.VersionTLS12, o.authorities
	}
}

// parameters takes values out of a query and gathers what is wrong.
type parameters struct {
	values url.Values
	faults []error
}

func (p *parameters) fault(format string, args ...any) {
	p.faults = append(p.faults, fmt.Errorf(format, args...))
}

func (p *parameters) take(name string) string {
	value, count := p.values.Get(name), len(p.values[name])
	delete(p.values, name)
	if count > 1 {
		p.fault("%s is given %d times", name, count)
	}
	return value
}

// takeFile takes the path of a file that can be read.
func (p *parameters) takeFile(name string) string {
	path := p.take(name)
	if _, err := readLine(path); err != nil {
		p.fault("%s: %w", name, err)
	}
	return path
}

// readLine is what a file holds; empty where there is no path. Its error does
// not name the path, which may be a password by mistake.
func readLine(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	content, err := os.ReadFile(path)
	if named, ok := errors.AsType[*fs.PathError](err); ok {
		err = named.Err
	}
	return strings.TrimRight(string(content), "\r\n"), err
}
