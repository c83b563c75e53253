package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ghscoped/ghscoped-service/internal/hubauth"
)

// KindSession is the kind of the records of [Sessions].
//
// The key is the user's name, a slash and the SHA-256 of the session's id: the
// name, so that a record is bound to its owner; the hash, so that a reader of
// the store cannot make a cookie.
const KindSession Kind = "session"

// Sessions keeps one sealed record for each browser that is signed in. It is
// the [hubauth.Sessions].
type Sessions struct {
	backend Backend
	keys    *Keyring
}

var _ hubauth.Sessions = (*Sessions)(nil)

// NewSessions makes a store of sessions on a backend.
func NewSessions(backend Backend, keys *Keyring) *Sessions {
	return &Sessions{backend: backend, keys: keys}
}

// maxSessions is how many browsers of one user may be signed in at once. Somebody
// who signs in again and again would otherwise fill the store.
const maxSessions = 20

// Create stores a session until its ExpiresAt and returns its id. The user's
// oldest sessions end where there are too many.
func (s *Sessions) Create(ctx context.Context, session hubauth.Session) (string, error) {
	clear, err := json.Marshal(session)
	if err != nil {
		return "", fmt.Errorf("encoding a session: %w", err)
	}
	id := newSessionID(session.User)
	key, _ := sessionKey(id)
	if err := s.makeRoom(ctx, session.User); err != nil {
		return "", err
	}
	_, err = s.backend.Put(ctx, Record{
		Kind: KindSession, Key: key, Expires: session.ExpiresAt,
		Value: s.keys.Seal(KindSession, key, clear),
	})
	if err != nil {
		return "", fmt.Errorf("storing a session: %w", err)
	}
	return id, nil
}

// makeRoom ends the oldest sessions of a user, until there is room for one more.
func (s *Sessions) makeRoom(ctx context.Context, user string) error {
	var own []Record
	for after := user + "/"; ; {
		records, err := s.backend.List(ctx, KindSession, after, 2*maxSessions)
		if err != nil {
			return fmt.Errorf("listing sessions: %w", err)
		}
		for _, record := range records {
			after = record.Key
			hash, found := strings.CutPrefix(record.Key, user+"/")
			if found && len(hash) == hex.EncodedLen(sha256.Size) { // else of somebody whose name begins like this one
				own = append(own, record)
			}
		}
		if len(records) < 2*maxSessions || !strings.HasPrefix(after, user+"/") {
			break
		}
	}
	slices.SortFunc(own, func(a, b Record) int { return a.Expires.Compare(b.Expires) })
	for _, record := range own[:max(0, len(own)-maxSessions+1)] {
		if err := s.delete(ctx, record); err != nil {
			return err
		}
	}
	return nil
}

// Session returns a live session, or [hubauth.ErrNoSession].
func (s *Sessions) Session(ctx context.Context, id string) (hubauth.Session, error) {
	record, err := s.find(ctx, id)
	if err != nil {
		return hubauth.Session{}, err
	}
	clear, err := s.keys.Open(KindSession, record.Key, record.Value)
	if err != nil {
		return hubauth.Session{}, err
	}
	var session hubauth.Session
	if err := json.Unmarshal(clear, &session); err != nil {
		return hubauth.Session{}, fmt.Errorf("decoding a session: %w", err)
	}
	return session, nil
}

// End forgets a session; one that is gone already is no error.
func (s *Sessions) End(ctx context.Context, id string) error {
	record, err := s.find(ctx, id)
	if errors.Is(err, hubauth.ErrNoSession) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.delete(ctx, record)
}

func (s *Sessions) find(ctx context.Context, id string) (Record, error) {
	key, ok := sessionKey(id)
	if !ok {
		return Record{}, hubauth.ErrNoSession
	}
	record, err := s.backend.Get(ctx, KindSession, key)
	if errors.Is(err, ErrNotFound) {
		return Record{}, hubauth.ErrNoSession
	}
	if err != nil {
		return Record{}, fmt.Errorf("reading a session: %w", err)
	}
	return record, nil
}

// delete ends a session whoever writes it meanwhile: nothing changes a session
// but the background re-sealing, after which it has another version.
func (s *Sessions) delete(ctx context.Context, record Record) error {
	for {
		err := s.backend.Delete(ctx, KindSession, record.Key, record.Version)
		switch {
		case err == nil, errors.Is(err, ErrNotFound):
			return nil
		case !errors.Is(err, ErrConflict):
			return fmt.Errorf("ending a session: %w", err)
		}
		record, err = s.backend.Get(ctx, KindSession, record.Key)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("ending a session: %w", err)
		}
	}
}

// newSessionID makes an id that cannot be guessed (256 random bits) and names
// its user, so that the record can be found.
func newSessionID(user string) string {
	random := make([]byte, 32)
	rand.Read(random)
	return base64.RawURLEncoding.EncodeToString(random) + "." + base64.RawURLEncoding.EncodeToString([]byte(user))
}

// sessionKey is where the session of an id is kept; not ok: no such id can be.
func sessionKey(id string) (key string, ok bool) {
	_, encoded, _ := strings.Cut(id, ".")
	user, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || len(user) == 0 || len(user) > MaxKey/2 {
		return "", false
	}
	sum := sha256.Sum256([]byte(id))
	return string(user) + "/" + hex.EncodeToString(sum[:]), true
}
