package store

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/ghscoped/ghscoped-service/internal/secret"
)

var (
	// ErrWrongKey: a value was sealed by a key that the key file does not hold.
	ErrWrongKey = errors.New("the key file does not hold the key that sealed this record; put the earlier key file back, or add its lines below the first")
	// ErrAltered: the key is there, but the value was changed, or belongs to
	// another record.
	ErrAltered = errors.New("a sealed record was altered or belongs to another record")
)

// keySize is that of XChaCha20-Poly1305, in bytes.
const keySize = chacha20poly1305.KeySize

// A sealed value is format (1 byte), key id, nonce, ciphertext with tag. The
// nonce is random: 24 bytes leave no chance of a repetition to care about.
const (
	sealFormat = 1
	keyIDSize  = 8
	sealHeader = 1 + keyIDSize
)

// Keyring holds the sealing keys in the order of the key file: the first
// seals, every one opens. It is safe for concurrent use.
type Keyring struct{ keys []sealingKey }

type sealingKey struct {
	// master is a line of the key file. What seals, names and signs is derived
	// from it, one key for each purpose.
	master secret.String
	id     []byte
	aead   cipher.AEAD
}

// NewKey makes a random key in the form of a line of the key file.
func NewKey() secret.String {
	key := make([]byte, keySize)
	rand.Read(key) // never fails: crypto/rand ends the program instead
	return secret.New(base64.StdEncoding.EncodeToString(key))
}

// NewKeyring makes a keyring of lines of a key file; at least one.
func NewKeyring(lines ...secret.String) (*Keyring, error) {
	ring := &Keyring{}
	for i, line := range lines {
		master, err := base64.StdEncoding.DecodeString(line.Reveal())
		if err != nil || len(master) != keySize {
			return nil, fmt.Errorf("key %d is not %d bytes in base64", i+1, keySize)
		}
		key, err := newSealingKey(master)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		ring.keys = append(ring.keys, key)
	}
	if len(ring.keys) == 0 {
		return nil, errors.New("no key")
	}
	return ring, nil
}

func newSealingKey(master []byte) (sealingKey, error) {
	sealing, err := derive(master, "seal", keySize)
	if err != nil {
		return sealingKey{}, err
	}
	id, err := derive(master, "id", keyIDSize)
	if err != nil {
		return sealingKey{}, err
	}
	aead, err := chacha20poly1305.NewX(sealing)
	if err != nil {
		return sealingKey{}, err
	}
	return sealingKey{master: secret.New(string(master)), id: id, aead: aead}, nil
}

// derive is HKDF-Expand (RFC 5869): a master key is uniformly random already,
// so there is nothing to extract.
func derive(master []byte, purpose string, size int) ([]byte, error) {
	return hkdf.Expand(sha256.New, master, "ghscoped "+purpose, size)
}

// Derive makes a key of size bytes for a purpose of its own, such as signing
// cookies, from each key of the ring, in order. What the first one signs stays
// valid after a rotation because it is among the others then.
func (k *Keyring) Derive(purpose string, size int) ([][]byte, error) {
	var derived [][]byte
	for _, key := range k.keys {
		// The prefix keeps callers apart from the purposes of this file.
		one, err := derive([]byte(key.master.Reveal()), "for "+purpose, size)
		if err != nil {
			return nil, fmt.Errorf("deriving a key for %s: %w", purpose, err)
		}
		derived = append(derived, one)
	}
	return derived, nil
}

// Seal encrypts a record's value with the first key and binds it to the
// record's kind and key, and so to its owner, whose name every key begins with.
func (k *Keyring) Seal(kind Kind, key string, clear []byte) []byte {
	first := k.keys[0]
	sealed := make([]byte, sealHeader+first.aead.NonceSize(), sealHeader+first.aead.NonceSize()+len(clear)+first.aead.Overhead())
	sealed[0] = sealFormat
	copy(sealed[1:], first.id)
	nonce := sealed[sealHeader:]
	rand.Read(nonce)
	return first.aead.Seal(sealed, nonce, clear, associated(kind, key))
}

// Open decrypts what Seal made for the same kind and key, by whichever key of
// the ring sealed it; [ErrWrongKey] where that key is not in the ring,
// [ErrAltered] where the value does not belong here.
func (k *Keyring) Open(kind Kind, key string, sealed []byte) ([]byte, error) {
	if len(sealed) < sealHeader || sealed[0] != sealFormat {
		return nil, fmt.Errorf("%s record: %w", kind, ErrAltered)
	}
	for _, candidate := range k.keys {
		if !bytes.Equal(candidate.id, sealed[1:sealHeader]) {
			continue
		}
		rest := sealed[sealHeader:]
		if len(rest) < candidate.aead.NonceSize() {
			return nil, fmt.Errorf("%s record: %w", kind, ErrAltered)
		}
		nonce, ciphertext := rest[:candidate.aead.NonceSize()], rest[candidate.aead.NonceSize():]
		clear, err := candidate.aead.Open(nil, nonce, ciphertext, associated(kind, key))
		if err != nil {
			return nil, fmt.Errorf("%s record: %w", kind, ErrAltered)
		}
		return clear, nil
	}
	return nil, fmt.Errorf("%s record: %w", kind, ErrWrongKey)
}

// Current reports whether a sealed value was sealed by the first key.
func (k *Keyring) Current(sealed []byte) bool {
	return len(sealed) >= sealHeader && sealed[0] == sealFormat &&
		bytes.Equal(sealed[1:sealHeader], k.keys[0].id)
}

// associated names a record; a kind holds no NUL, so no two records share one.
func associated(kind Kind, key string) []byte {
	return []byte("ghscoped\x00" + string(kind) + "\x00" + key)
}
