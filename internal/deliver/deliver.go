package deliver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/credential"
	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/hubapi"
	"github.com/ghscoped/ghscoped-service/internal/webaddr"
)

// Options of a [Deliverer]. What changes more than the credential is off
// unless the deployer asks for it.
type Options struct {
	// HTTP reaches users' servers.
	HTTP *http.Client
	// Timeout bounds one delivery or removal, all transports together; 0: 20 s.
	Timeout time.Duration

	// Host is the web address of the GitHub whose files a removal takes out; nil:
	// https://github.com. A delivery's is that of its credential.
	Host *url.URL
	// Page is the service's page, which git's helper names once the connection has
	// ended; nil: not known.
	Page *url.URL
	// CredentialPath is where the credential lands: absolute, or in the home
	// when it begins with "~/". Empty, or ~/.config/ghscoped/credential: a file of
	// that name in the folder of the host, ~/.config/ghscoped/HOST.
	CredentialPath string
	// GitIdentity sets user.name and user.email from GitHub where the user has
	// none.
	GitIdentity bool
	// RewriteSSH has git use https for ssh addresses of the same host.
	RewriteSSH bool
	// GHCommand signs the gh command in, where the user has not done so.
	GHCommand bool
}

// Deliverer puts credentials into running servers and takes them out. Safe for concurrent use.
type Deliverer struct {
	options    Options
	transports []transport
}

// New returns a Deliverer, or says which option is unusable.
func New(options Options) (*Deliverer, error) {
	path := options.CredentialPath
	if path != "" && !strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "~/") {
		return nil, fmt.Errorf("the credential path %q is neither absolute nor in the home (~/)", path)
	}
	if strings.HasSuffix(path, "/") || strings.ContainsFunc(path, isControl) {
		return nil, fmt.Errorf("the credential path %q does not name a file", path)
	}
	if options.Host == nil {
		options.Host = &url.URL{Scheme: "https", Host: "github.com"}
	}
	if options.Timeout == 0 {
		options.Timeout = 20 * time.Second
	}
	return &Deliverer{options: options, transports: []transport{terminal{}, kernel{usual()}}}, nil
}

// transport is one means of running a job in a server.
type transport interface {
	// name is what a delivery is recorded under.
	name() string
	// run returns an [unsupportedError] where the server does not allow this
	// transport; any other error says why the job failed, or may have.
	run(ctx context.Context, server *hubapi.UserServer, job job, prove prover) error
}

// unsupportedError says that the server does not allow a transport, and that nothing
// was handed over: the next one may be tried. The reason is for people.
type unsupportedError struct {
	reason string
	err    error
}

func (e *unsupportedError) Error() string { return e.reason + ": " + e.err.Error() }

func (e *unsupportedError) Unwrap() error { return e.err }

// Deliver puts the credential into the server, in place of an earlier one. It is there
// as well where the error has the code [apierror.CodeHelperCopies].
func (d *Deliverer) Deliver(ctx context.Context, target hub.Target, credential credential.Credential) (string, error) {
	job, err := d.delivery(credential)
	if err != nil {
		return "", err
	}
	return d.run(ctx, target, job)
}

// Remove takes out of the server whatever deliveries left there.
func (d *Deliverer) Remove(ctx context.Context, target hub.Target) (string, error) {
	return d.run(ctx, target, d.removal())
}

// Expire takes the credential out of the server and leaves git's helper, which says
// where to connect again.
func (d *Deliverer) Expire(ctx context.Context, target hub.Target) (string, error) {
	return d.run(ctx, target, d.expiry())
}

// run tries one transport after the other until the server supports one.
func (d *Deliverer) run(ctx context.Context, target hub.Target, job job) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, d.options.Timeout)
	defer cancel()
	server := hubapi.NewUserServer(target.Address, target.Token, d.options.HTTP)
	var refusals []*unsupportedError
	for _, transport := range d.transports {
		err := transport.run(ctx, server, job, target.Prove)
		if err == nil {
			return transport.name(), nil
		}
		if ctx.Err() != nil {
			return transport.name(), outOfTime(ctx, err)
		}
		var refusal *unsupportedError
		if !errors.As(err, &refusal) {
			return transport.name(), explain(err)
		}
		refusals = append(refusals, refusal)
	}
	return "", noTransport(refusals)
}

// acceptable reports whether a credential may be offered to this host: over
// https, or, for demonstrations and tests, over http on this machine.
func acceptable(host *url.URL) bool {
	return webaddr.Private(host) && !strings.ContainsFunc(host.Host, isControl)
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }
