package workload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/ghscoped/ghscoped-service/internal/webaddr"
)

const (
	// fresh is how long keys are used without looking whether they have changed, so
	// how long one that its issuer has withdrawn is still taken. lasting is for how
	// long they are used where the issuer does not answer.
	fresh   = time.Hour
	lasting = 24 * time.Hour
	// pause is between two looks, whatever tokens name as their key: else anybody
	// could have us ask the issuer all the time.
	pause = 10 * time.Second
	// lookLimit bounds a look at an issuer's keys, maxAnswer an answer of its, in
	// bytes.
	lookLimit = 10 * time.Second
	maxAnswer = 1 << 20
)

// keys are an issuer's, as it has published them.
type keys struct {
	issuer string
	all    []jose.JSONWebKey
	at     time.Time
}

// withID are the keys of an id. A token without one may be of any.
func (k *keys) withID(id string) []jose.JSONWebKey {
	var some []jose.JSONWebKey
	for _, key := range k.all {
		if id == "" || key.KeyID == id {
			some = append(some, key)
		}
	}
	return some
}

// source has the keys of one issuer. Safe for concurrent use.
//
// (go-oidc's RemoteKeySet asks the issuer again for each token with a wrong
// signature, and never forgets a key that was withdrawn.)
type source struct {
	kind    string
	address *url.URL
	client  *http.Client
	clock   func() time.Time
	logger  *slog.Logger

	mu    sync.Mutex
	known *keys // nil: not read yet
	// looking is closed at the end of a look that is under way; nil: there is none.
	looking chan struct{}
	looked  time.Time // when the last one began
	err     error     // of the last one
}

func newSource(issuer Issuer, clock func() time.Time, logger *slog.Logger) *source {
	client := *issuer.HTTP
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &source{kind: issuer.Kind, address: issuer.Address, client: &client, clock: clock, logger: logger}
}

// keys are the issuer's, with one of that id; for "", whatever they are.
func (s *source) keys(ctx context.Context, id string) (*keys, error) {
	known, done := s.look(id)
	if known != nil {
		return known, nil
	}
	if done == nil {
		return nil, s.lacking()
	}
	select {
	case <-done:
	case <-ctx.Done():
		return nil, unavailable("The issuer of this identity token did not answer in time.", ctx.Err())
	}
	if known, _ := s.usable(id); known != nil {
		return known, nil
	}
	return nil, s.lacking()
}

// look is what is known, if it will do, and begins to look at the issuer where it is
// time for that; done is closed then.
func (s *source) look(id string) (known *keys, done <-chan struct{}) {
	known, old := s.usable(id)
	if known != nil && !old {
		return known, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.looking == nil && (s.looked.IsZero() || s.clock().Sub(s.looked) >= pause) {
		s.looking, s.looked = make(chan struct{}), s.clock()
		go s.read(s.looking)
	}
	if s.looking == nil {
		return known, nil
	}
	return known, s.looking
}

// usable are the keys that are known, if one has the id and they have not expired;
// old says that it is time to look again.
func (s *source) usable(id string) (known *keys, old bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil || s.clock().Sub(s.known.at) >= lasting || (id != "" && len(s.known.withID(id)) == 0) {
		return nil, true
	}
	return s.known, s.clock().Sub(s.known.at) >= fresh
}

// lacking is why there is no key: the issuer has none of that name, or does not say.
func (s *source) lacking() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil && s.known != nil {
		return invalid("is signed with a key that its issuer does not have", nil)
	}
	return unavailable("The issuer of this identity token does not say its keys now.", s.err)
}

// read asks the issuer, on behalf of everybody who waits.
func (s *source) read(done chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), lookLimit)
	defer cancel()
	read, err := s.published(ctx)
	if err != nil {
		s.logger.Warn("the keys of an issuer of identity tokens cannot be read", "issuer", s.address.String(), "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	if err == nil {
		s.known = read
	}
	s.looking = nil
	close(done)
}

// published reads the discovery document (OpenID Connect Discovery 1.0, 4) and the
// keys that it points to.
func (s *source) published(ctx context.Context) (*keys, error) {
	at := s.clock()
	var document struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := s.get(ctx, s.address.JoinPath(".well-known/openid-configuration"), &document); err != nil {
		return nil, fmt.Errorf("discovery document: %w", err)
	}
	if document.Issuer == "" || s.kind != Kubernetes && trim(document.Issuer) != trim(s.address.String()) {
		return nil, fmt.Errorf("the discovery document is that of %q", shown(document.Issuer))
	}
	address, err := url.Parse(document.Keys)
	if err != nil || address.Host == "" {
		return nil, errors.New("the discovery document does not say where the keys are")
	}
	if s.kind == Kubernetes { // which names an address of its own that may not be reached from here
		address = s.address.ResolveReference(&url.URL{Path: address.Path})
	}
	if !webaddr.Private(address) {
		return nil, errors.New("the keys are not at an https address")
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := s.get(ctx, address, &set); err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	return &keys{issuer: document.Issuer, all: public(set.Keys), at: at}, nil
}

// public are the keys that can sign; what is of no known kind is not for us (RFC
// 7517, 5).
func public(raw []json.RawMessage) (all []jose.JSONWebKey) {
	for _, text := range raw {
		var key jose.JSONWebKey
		if json.Unmarshal(text, &key) == nil && key.IsPublic() && key.Use != "enc" {
			all = append(all, key)
		}
	}
	return all
}

func (s *source) get(ctx context.Context, address *url.URL, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "application/json")
	response, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers with %d", address, response.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// joseAlgorithms are [algorithms] as the library below has them.
var joseAlgorithms = func() (all []jose.SignatureAlgorithm) {
	for _, name := range algorithms {
		all = append(all, jose.SignatureAlgorithm(name))
	}
	return all
}()

// keySet checks the signature of one token with the keys of its issuer.
type keySet struct {
	source *source
	err    error // why there was no key, since the library keeps only its text
}

// VerifySignature implements [oidc.KeySet].
func (k *keySet) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	signed, err := jose.ParseSignedCompact(raw, joseAlgorithms)
	if err != nil {
		return nil, err
	}
	header := signed.Signatures[0].Header
	all, err := k.source.keys(ctx, header.KeyID)
	if err != nil {
		k.err = err
		return nil, err
	}
	for _, key := range all.withID(header.KeyID) {
		if key.Algorithm != "" && key.Algorithm != header.Algorithm {
			continue
		}
		if payload, err := signed.Verify(&key); err == nil {
			return payload, nil
		}
	}
	return nil, errors.New("none of the issuer's keys made the signature")
}
