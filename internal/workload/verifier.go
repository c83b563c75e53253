package workload

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// Kinds of issuers, which say what their tokens look like.
const (
	Actions    = "actions"    // GitHub Actions
	Kubernetes = "kubernetes" // a cluster, for its service accounts
	OIDC       = "oidc"       // any other
)

const (
	// maxToken is the largest token that is looked at, in bytes. GitHub's have some
	// 2,000, a cluster's 1,200.
	maxToken = 16 << 10
	// maxLife is the longest that a token may live: one that lives longer is no
	// identity of a job, but a password.
	maxLife = 24 * time.Hour
	// leeway is how far the issuer's clock may be ahead of ours.
	leeway = 30 * time.Second
)

// algorithms are those in which the other side cannot have made the signature with
// what anybody may read: no HMAC, and not "none".
var algorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.EdDSA}

// Issuer is one whose tokens are taken.
type Issuer struct {
	Kind string
	// Address is the issuer's, below which its discovery document lies. A cluster's
	// tokens may name another one, which that document says.
	Address *url.URL
	HTTP    *http.Client
}

// Once remembers what has been seen, for all replicas.
type Once interface {
	// First reports whether an id is new, and remembers it until then.
	First(ctx context.Context, id string, until time.Time) (bool, error)
}

// Options are what a [Verifier] is made of; all are needed.
type Options struct {
	Issuers []Issuer
	// Audience is whom tokens must be for: the service's public address.
	Audience *url.URL
	Once     Once
	Clock    func() time.Time
	Logger   *slog.Logger
}

// Verifier verifies identity tokens. Safe for concurrent use.
type Verifier struct {
	Options
	audience string
	sources  []*source
}

// New returns a verifier. It asks the issuers for nothing yet.
func New(o Options) *Verifier {
	v := &Verifier{Options: o, audience: trim(o.Audience.String())}
	for _, issuer := range o.Issuers {
		v.sources = append(v.sources, newSource(issuer, o.Clock, o.Logger))
	}
	return v
}

// Identity is who shows a token.
type Identity struct {
	// Kind and Name are who it is: of Actions OWNER/NAME of the repository, of
	// Kubernetes NAMESPACE/NAME of the service account, of another issuer its address.
	Kind, Name string
	// Part tells those of one name apart: a run of Actions, the subject of another
	// issuer.
	Part string
	// Claims are the token's, as texts. What is below a claim stands as CLAIM.NAME;
	// lists are left out.
	Claims map[string]string
}

// Resembles reports whether a token has the form of a JWT, which the Hub's have not.
func Resembles(token secret.String) bool {
	text := token.Reveal()
	return strings.HasPrefix(text, "eyJ") && strings.Count(text, ".") == 2
}

// Verify says who shows a token. Errors are [*apierror.Error]: identity_invalid,
// identity_expired, identity_issuer, identity_audience or identity_replayed for a
// token that is not taken, identity_unavailable where it cannot be known now.
func (v *Verifier) Verify(ctx context.Context, token secret.String) (Identity, error) {
	raw := token.Reveal()
	if len(raw) > maxToken {
		return Identity{}, invalid("is larger than 16 kB", nil)
	}
	c, err := unverified(raw)
	if err != nil {
		return Identity{}, err
	}
	from, err := v.from(ctx, c.Issuer)
	if err != nil {
		return Identity{}, err
	}
	if err := v.check(c); err != nil { // which costs less than a signature
		return Identity{}, err
	}
	keys := &keySet{source: from}
	config := &oidc.Config{SkipClientIDCheck: true, SupportedSigningAlgs: algorithms, Now: v.Clock}
	if _, err := oidc.NewVerifier(c.Issuer, keys, config).Verify(ctx, raw); err != nil {
		return Identity{}, refusal(err, keys.err)
	}
	who, err := identity(from.kind, c)
	if err != nil {
		return Identity{}, err
	}
	return who, v.once(ctx, from.kind, raw, c)
}

// Try reads the keys of each issuer. The error names those that do not say them.
func (v *Verifier) Try(ctx context.Context) error {
	var failures []error
	for _, s := range v.sources {
		if _, err := s.keys(ctx, ""); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", s.address, errors.Unwrap(err)))
		}
	}
	return errors.Join(failures...)
}

// from is the source of an issuer's keys.
func (v *Verifier) from(ctx context.Context, issuer string) (*source, error) {
	for _, s := range v.sources {
		if s.kind != Kubernetes && trim(s.address.String()) == trim(issuer) {
			return s, nil
		}
	}
	for _, s := range v.sources {
		if s.kind != Kubernetes {
			continue
		}
		known, err := s.keys(ctx, "")
		if err != nil {
			return nil, err
		}
		if known.issuer == issuer {
			return s, nil
		}
	}
	return nil, &apierror.Error{Code: apierror.CodeIdentityIssuer, Message: "This service takes no identity tokens of that issuer.",
		Hint: "An administrator names the issuers in GHSCOPED_BOT_ISSUERS.", Err: errors.New("the issuer is " + shown(issuer))}
}

// check is about whom a token is for, and of when it is.
func (v *Verifier) check(c claims) error {
	now := v.Clock()
	switch {
	case trim(c.audience()) != v.audience:
		return &apierror.Error{Code: apierror.CodeIdentityAudience, Message: "This identity token is for another service.",
			Hint: "Ask for one with the audience " + v.audience + ", and no other.", Err: fmt.Errorf("the audience is %.200q", c.all["aud"])}
	case !c.Expires.After(now):
		return &apierror.Error{Code: apierror.CodeIdentityExpired, Message: "This identity token has expired.", Hint: "Ask for a new one."}
	case c.NotBefore.After(now.Add(leeway)) || c.Issued.After(now.Add(leeway)):
		return invalid("is not valid yet", nil)
	case c.Expires.Sub(c.Issued) > maxLife:
		return invalid("lives longer than a day", nil)
	}
	return nil
}

// once takes a token that was asked for this one request a single time. A pod's is
// in a file for as long as it is valid, and every request of the pod shows it.
func (v *Verifier) once(ctx context.Context, kind, raw string, c claims) error {
	if kind == Kubernetes {
		return nil
	}
	id := c.ID
	if id == "" { // whoever signs again gets another signature, not another text
		id = raw[:strings.LastIndex(raw, ".")]
	}
	hash := sha256.Sum256([]byte(c.Issuer + "\n" + id))
	first, err := v.Once.First(ctx, hex.EncodeToString(hash[:]), c.Expires.Add(leeway))
	if err != nil {
		return unavailable("It cannot be seen now whether this identity token was used before.", err)
	}
	if !first {
		return &apierror.Error{Code: apierror.CodeIdentityReplayed, Message: "This identity token was used already.", Hint: "Ask for a new one for each request."}
	}
	return nil
}

// refusal is the error for a token that the library did not take, or for the
// trouble with its issuer's keys.
func refusal(err, keys error) error {
	if keys != nil {
		return keys
	}
	return invalid("is not what its issuer signed", err)
}

func invalid(what string, err error) *apierror.Error {
	return &apierror.Error{Code: apierror.CodeIdentityInvalid, Message: "This identity token " + what + ".",
		Hint: "Ask the platform for a new one, and send it as it is.", Err: err}
}

func unavailable(message string, err error) *apierror.Error {
	return &apierror.Error{Code: apierror.CodeIdentityUnavailable, Message: message, Hint: "Ask again.", Retryable: true, Err: err}
}

func trim(address string) string { return strings.TrimSuffix(address, "/") }

// shown is a text of the other side's for the log.
func shown(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), 200)], "?")
}
