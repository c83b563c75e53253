package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/ghscoped/ghscoped-service/internal/bot"
)

// KindBot is the kind of the records of [Bots].
//
// The key is the caller ("service:nbbot"), a slash and the SHA-256 of the
// token: a caller's tokens lie side by side, and a record is bound to its owner.
const KindBot Kind = "bot"

// botPage is how many tokens are read in one go.
const botPage = 100

// Bots keeps one sealed record for each installation token that was given away,
// until it expires. It is the [bot.Store].
type Bots struct {
	backend Backend
	keys    *Keyring
}

var _ bot.Store = (*Bots)(nil)

// NewBots makes a store of bots' tokens on a backend.
func NewBots(backend Backend, keys *Keyring) *Bots { return &Bots{backend: backend, keys: keys} }

// Add keeps a token until its ExpiresAt.
func (b *Bots) Add(ctx context.Context, live bot.Live) error {
	clear, err := json.Marshal(live)
	if err != nil {
		return fmt.Errorf("encoding a bot's token: %w", err)
	}
	key := live.Caller + "/" + live.ID
	_, err = b.backend.Put(ctx, Record{
		Kind: KindBot, Key: key, Expires: live.ExpiresAt, Value: b.keys.Seal(KindBot, key, clear),
	})
	if err != nil {
		return fmt.Errorf("storing a bot's token: %w", err)
	}
	return nil
}

// List returns the tokens of a caller that have not expired; of all callers for
// "".
func (b *Bots) List(ctx context.Context, caller string) ([]bot.Live, error) {
	var found []bot.Live
	prefix := ""
	if caller != "" {
		prefix = caller + "/"
	}
	for after := prefix; ; {
		records, err := b.backend.List(ctx, KindBot, after, botPage)
		if err != nil {
			return nil, fmt.Errorf("listing bots' tokens: %w", err)
		}
		for _, record := range records {
			after = record.Key
			id, ok := strings.CutPrefix(record.Key, prefix)
			if !ok {
				return found, nil
			}
			// Longer: a token of somebody whose name begins like this one.
			if caller != "" && len(id) != hex.EncodedLen(sha256.Size) {
				continue
			}
			live, err := b.open(record)
			if err != nil {
				return nil, err
			}
			found = append(found, live)
		}
		if len(records) < botPage {
			return found, nil
		}
	}
}

func (b *Bots) open(record Record) (bot.Live, error) {
	clear, err := b.keys.Open(KindBot, record.Key, record.Value)
	if err != nil {
		return bot.Live{}, err
	}
	var live bot.Live
	if err := json.Unmarshal(clear, &live); err != nil {
		return bot.Live{}, fmt.Errorf("decoding a bot's token: %w", err)
	}
	return live, nil
}

// Remove forgets a token, whoever re-seals it meanwhile; one that is not there
// is no error.
func (b *Bots) Remove(ctx context.Context, caller, id string) error {
	for {
		record, err := b.backend.Get(ctx, KindBot, caller+"/"+id)
		if err == nil {
			err = b.backend.Delete(ctx, KindBot, record.Key, record.Version)
		}
		switch {
		case err == nil, errors.Is(err, ErrNotFound):
			return nil
		case !errors.Is(err, ErrConflict):
			return fmt.Errorf("forgetting a bot's token: %w", err)
		}
	}
}
