package secret

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
)

// Redacted is what a non-empty String prints as.
const Redacted = "[redacted]"

// String is a secret that redacts itself in every format: %v, %s, %q, %x, %#v,
// JSON, text encodings and slog. The zero value is "no secret".
//
// The value sits behind a pointer because fmt cannot call the methods of an
// unexported field and would print its content: of a pointer it prints the
// address.
type String struct{ value *string }

// New wraps a clear value.
func New(value string) String {
	if value == "" {
		return String{}
	}
	return String{&value}
}

// Reveal returns the clear value. Every call is a place to review.
func (s String) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// Empty reports whether there is no secret.
func (s String) Empty() bool { return s.value == nil }

// Hash is the hexadecimal SHA-256 of the value, by which audit events and
// administrators can name a secret without holding it. Empty for no secret.
func (s String) Hash() string {
	if s.Empty() {
		return ""
	}
	sum := sha256.Sum256([]byte(s.Reveal()))
	return hex.EncodeToString(sum[:])
}

func (s String) String() string {
	if s.Empty() {
		return ""
	}
	return Redacted
}

// Format redacts under every verb, %x and %#v included.
func (s String) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// MarshalText redacts; JSON, YAML and flag printing come through here.
func (s String) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue redacts in structured logs.
func (s String) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Stored is the form in which a secret is written into a record that is sealed
// as a whole (see internal/store). It is a type of its own so that the clear
// encoding has to be asked for by a field's type and never happens by chance.
type Stored struct{ String }

// Store wraps a secret for a sealed record.
func Store(s String) Stored { return Stored{s} }

// MarshalJSON writes the clear value.
func (s Stored) MarshalJSON() ([]byte, error) { return json.Marshal(s.Reveal()) }

// UnmarshalText reads the clear value.
func (s *Stored) UnmarshalText(clear []byte) error {
	s.String = New(string(clear))
	return nil
}
