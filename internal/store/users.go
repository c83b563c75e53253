package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/flow"
)

// KindUser is the kind of the records of [Users]; the key is the user's name.
const KindUser Kind = "user"

// keepEnded is how long a user can still read how the last flow ended.
const keepEnded = 24 * time.Hour

// Users keeps one sealed record for each Hub user that has anything here. It
// is the [flow.Store].
type Users struct {
	backend Backend
	keys    *Keyring
	clock   func() time.Time
	log     *slog.Logger
}

var _ flow.Store = (*Users)(nil)

// NewUsers makes a store of users on a backend.
func NewUsers(backend Backend, keys *Keyring, clock func() time.Time, log *slog.Logger) *Users {
	return &Users{backend: backend, keys: keys, clock: clock, log: log}
}

// Load returns a user's record; one never stored comes empty, Version 0.
func (u *Users) Load(ctx context.Context, name string) (*flow.User, error) {
	record, err := u.backend.Get(ctx, KindUser, name)
	if errors.Is(err, ErrNotFound) {
		return &flow.User{Name: name}, nil
	}
	if err != nil {
		return nil, forFlow(err)
	}
	return u.open(record)
}

// Save stores the record if the stored Version is still user.Version, and sets
// user.Version; otherwise [flow.ErrConflict]. A user who holds nothing any more
// is forgotten.
func (u *Users) Save(ctx context.Context, user *flow.User) error {
	expires, keep := retention(user, u.clock())
	if !keep {
		return u.forget(ctx, user)
	}
	clear, err := json.Marshal(user)
	if err != nil {
		return fmt.Errorf("encoding a user: %w", err)
	}
	version, err := u.backend.Put(ctx, Record{
		Kind: KindUser, Key: user.Name, Version: user.Version,
		Due: user.Due(), Claimed: user.Held, Expires: expires,
		Value: u.keys.Seal(KindUser, user.Name, clear),
	})
	if err != nil {
		return forFlow(err)
	}
	user.Version = version
	return nil
}

// forget deletes the record; a user who was never stored is forgotten already,
// unless somebody else has stored one meanwhile.
func (u *Users) forget(ctx context.Context, user *flow.User) error {
	if user.Version == 0 {
		_, err := u.backend.Get(ctx, KindUser, user.Name)
		switch {
		case errors.Is(err, ErrNotFound):
			return nil
		case err == nil:
			return flow.ErrConflict
		}
		return forFlow(err)
	}
	err := u.backend.Delete(ctx, KindUser, user.Name, user.Version)
	if errors.Is(err, ErrNotFound) {
		err = ErrConflict // it was there when user was read
	}
	if err != nil {
		return forFlow(err)
	}
	user.Version = 0
	return nil
}

// retention says how long a record is worth keeping (zero: for good), and
// whether at all. What may hold a token anywhere, or binds an account, never
// goes by itself, nor which accounts were confirmed; how a flow ended is worth a day, a
// Hub token and the count of attempts their own life.
func retention(user *flow.User, now time.Time) (expires time.Time, keep bool) {
	ended := user.Flow != nil && user.Flow.State.Final()
	if user.Connection != nil || len(user.Deliveries) > 0 || len(user.Revocations) > 0 ||
		user.BoundAccount != 0 || len(user.Confirmed) > 0 || (user.Flow != nil && !ended) {
		return time.Time{}, true
	}
	if ended {
		expires = now.Add(keepEnded)
	}
	if !user.HubToken.Empty() && user.HubTokenExpires.After(expires) {
		expires = user.HubTokenExpires
	}
	if user.PacedUntil.After(expires) {
		expires = user.PacedUntil
	}
	return expires, expires.After(now)
}

// Claim returns up to limit records that are due by the backend's clock. One
// that does not open is logged and stays put off, so that it cannot keep the
// others from their turn.
func (u *Users) Claim(ctx context.Context, hold time.Duration, limit int) ([]*flow.User, error) {
	records, err := u.backend.Claim(ctx, KindUser, hold, limit)
	if err != nil {
		return nil, forFlow(err)
	}
	return u.openAll(ctx, records), nil
}

// NextDue is the earliest time at which Claim may find something; zero: never,
// as things are.
func (u *Users) NextDue(ctx context.Context) (time.Time, error) {
	due, err := u.backend.NextDue(ctx, KindUser)
	return due, forFlow(err)
}

// List returns users in the order of their names, beginning behind after, and
// the name to continue from; "" at the end.
func (u *Users) List(ctx context.Context, after string, limit int) (users []*flow.User, next string, err error) {
	records, err := u.backend.List(ctx, KindUser, after, limit)
	if err != nil {
		return nil, "", forFlow(err)
	}
	if len(records) > 0 && len(records) == limit {
		next = records[len(records)-1].Key
	}
	return u.openAll(ctx, records), next, nil
}

// Watch reports changes of a user's record, or with the name "" of all, as
// [Backend] does.
func (u *Users) Watch(ctx context.Context, name string) <-chan map[string]struct{} {
	return u.backend.Watch(ctx, KindUser, name)
}

func (u *Users) open(record Record) (*flow.User, error) {
	clear, err := u.keys.Open(record.Kind, record.Key, record.Value)
	if err != nil {
		return nil, err
	}
	user := &flow.User{}
	if err := json.Unmarshal(clear, user); err != nil {
		return nil, fmt.Errorf("decoding a user: %w", err)
	}
	user.Version = record.Version
	if record.Claimed.After(u.clock()) { // one that has run out is none
		user.Held = record.Claimed
	}
	return user, nil
}

func (u *Users) openAll(ctx context.Context, records []Record) []*flow.User {
	users := make([]*flow.User, 0, len(records))
	for _, record := range records {
		user, err := u.open(record)
		if err != nil {
			u.log.ErrorContext(ctx, "a stored user does not open", "user", record.Key, "error", err)
			continue
		}
		users = append(users, user)
	}
	return users
}

// forFlow puts a backend's error into the words of package flow.
func forFlow(err error) error {
	switch {
	case errors.Is(err, ErrConflict):
		return flow.ErrConflict
	case errors.Is(err, ErrFull):
		return &apierror.Error{
			Code:      apierror.CodeStoreFull,
			Message:   "The service has no room for anything new now.",
			Hint:      "Your connection stays, and you can disconnect. If this keeps happening, contact your Hub's administrators.",
			Retryable: true,
			Err:       err,
		}
	case errors.Is(err, ErrUnavailable):
		return &apierror.Error{
			Code:      apierror.CodeStoreUnavailable,
			Message:   "The service cannot reach its own records now.",
			Hint:      "Nothing is lost. Try again in a minute.",
			Retryable: true,
			Err:       err,
		}
	}
	return err
}
