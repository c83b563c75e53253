package oidcsim

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"slices"
)

// Claims are what a token says.
type Claims map[string]any

// With is a copy with one claim changed; a nil value takes it out.
func (c Claims) With(name string, value any) Claims {
	changed := make(Claims, len(c)+1)
	for n, v := range c {
		changed[n] = v
	}
	changed[name] = value
	if value == nil {
		delete(changed, name)
	}
	return changed
}

type key struct {
	id      string
	private *rsa.PrivateKey
}

// Rotate makes a new key, which signs from now on; the ones before stay published.
func (i *Issuer) Rotate() error {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = append(i.keys, &key{id: rand.Text(), private: private})
	return nil
}

// Retire takes all keys but the newest out of the published ones.
func (i *Issuer) Retire() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = slices.Clone(i.keys[len(i.keys)-1:])
}

// KeyID names the key that signs now.
func (i *Issuer) KeyID() string { return i.signer().id }

// PublicKeyPEM is the key that signs now as everybody may know it.
func (i *Issuer) PublicKeyPEM() []byte {
	der, err := x509.MarshalPKIXPublicKey(&i.signer().private.PublicKey)
	if err != nil {
		panic(err) // an RSA key always has that form
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func (i *Issuer) signer() *key {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.keys[len(i.keys)-1]
}

func (i *Issuer) publicKeys(w http.ResponseWriter, _ *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	published := make([]map[string]string, 0, len(i.keys))
	for _, k := range i.keys {
		published = append(published, map[string]string{
			"kty": "RSA", "alg": "RS256", "use": "sig", "kid": k.id,
			"n": encode(k.private.N.Bytes()), "e": encode(big.NewInt(int64(k.private.E)).Bytes()),
		})
	}
	writeJSON(w, map[string]any{"keys": published})
}

// Sign makes a token as the issuer does.
func (i *Issuer) Sign(claims Claims) string { return i.SignWith(nil, claims) }

// SignWith makes a token whose header differs from the issuer's: what is in header
// replaces typ, alg, kid, or comes along; a nil value takes a part out. The algorithm
// named there decides the signature: with "none" there is none; with "HS256" it is
// made with PublicKeyPEM as the secret; else it is RS256 with the issuer's key,
// whatever name it has.
func (i *Issuer) SignWith(header map[string]any, claims Claims) string {
	signer := i.signer()
	head := Claims{"typ": "JWT", "alg": "RS256", "kid": signer.id}
	for name, value := range header {
		head = head.With(name, value)
	}
	signed := encode(mustJSON(head)) + "." + encode(mustJSON(claims))
	return signed + "." + encode(i.signature(head["alg"], signed, signer.private))
}

func (i *Issuer) signature(algorithm any, signed string, private *rsa.PrivateKey) []byte {
	switch algorithm {
	case "none":
		return nil
	case "HS256":
		mac := hmac.New(sha256.New, i.PublicKeyPEM())
		mac.Write([]byte(signed))
		return mac.Sum(nil)
	}
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, private, crypto.SHA256, sum[:])
	if err != nil {
		panic(err) // 2048 bits are enough for a SHA-256
	}
	return signature
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// mustJSON is for what tests put together.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
