package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/ghscoped/ghscoped-service/internal/store"
)

// Get returns a record, or [store.ErrNotFound].
func (s *Store) Get(ctx context.Context, kind store.Kind, key string) (store.Record, error) {
	fields, err := s.client.HMGet(ctx, s.records(kind)+key, "v", "d", "e", "b", "c").Result()
	if err != nil {
		return store.Record{}, unavailable(ctx, err)
	}
	if fields[0] == nil {
		return store.Record{}, store.ErrNotFound
	}
	record, err := decode(kind, append([]any{key}, fields...))
	if err != nil {
		return store.Record{}, err
	}
	if !record.Expires.IsZero() && !record.Expires.After(s.clock()) {
		return store.Record{}, store.ErrNotFound
	}
	return record, nil
}

// Put writes a record if the stored version is record.Version.
func (s *Store) Put(ctx context.Context, record store.Record) (uint64, error) {
	if err := record.Validate(); err != nil {
		return 0, err
	}
	answer, err := s.run(ctx, putScript, record.Kind,
		record.Key, strconv.FormatUint(record.Version, 10),
		millis(record.Due), millis(record.Expires), record.Value, millis(record.Claimed), rand.Text(), always(record),
	).Text()
	if errors.Is(err, goredis.Nil) {
		return 0, store.ErrConflict
	}
	if err != nil {
		return 0, unavailable(ctx, err)
	}
	version, err := strconv.ParseUint(answer, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("redis: the version of a %s record: %w", record.Kind, err)
	}
	return version, nil
}

// always says whether a server that is full is to take a record: one that was there
// already, and a session, without which nobody could sign in to disconnect.
func always(record store.Record) string {
	if record.Version != 0 || record.Kind == store.KindSession {
		return "1"
	}
	return "0"
}

// Delete removes a record if the stored version is still version.
func (s *Store) Delete(ctx context.Context, kind store.Kind, key string, version uint64) error {
	answer, err := s.run(ctx, deleteScript, kind, key, strconv.FormatUint(version, 10)).Text()
	switch {
	case err != nil:
		return unavailable(ctx, err)
	case answer == "missing":
		return store.ErrNotFound
	case answer == "conflict":
		return store.ErrConflict
	}
	return nil
}

// Claim takes up to limit due records, each until the end of hold.
func (s *Store) Claim(ctx context.Context, kind store.Kind, hold time.Duration, limit int) ([]store.Record, error) {
	rows, err := s.run(ctx, claimScript, kind, millis(s.clock().Add(hold)), limit, rand.Text()).Slice()
	if err != nil {
		return nil, unavailable(ctx, err)
	}
	return decodeAll(kind, rows)
}

// NextDue is the earliest time at which something may be claimed; zero: never.
func (s *Store) NextDue(ctx context.Context, kind store.Kind) (time.Time, error) {
	ms, err := s.run(ctx, nextDueScript, kind).Int64()
	if err != nil {
		return time.Time{}, unavailable(ctx, err)
	}
	return store.FromMillis(ms), nil
}

// List returns records in the order of their keys, beginning behind after.
func (s *Store) List(ctx context.Context, kind store.Kind, after string, limit int) ([]store.Record, error) {
	rows, err := s.run(ctx, listScript, kind, after, limit).Slice()
	if err != nil {
		return nil, unavailable(ctx, err)
	}
	return decodeAll(kind, rows)
}

func decodeAll(kind store.Kind, rows []any) ([]store.Record, error) {
	records := make([]store.Record, 0, len(rows))
	for _, row := range rows {
		fields, _ := row.([]any)
		record, err := decode(kind, fields)
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	return records, nil
}

// decode reads key, version, due, expires, bytes, and the claim where there is one.
func decode(kind store.Kind, fields []any) (store.Record, error) {
	var texts [6]string
	valid := len(fields) == len(texts)
	if valid && fields[5] == nil {
		fields[5] = "0"
	}
	for i := range texts {
		if valid {
			texts[i], valid = fields[i].(string)
		}
	}
	version, versionErr := strconv.ParseUint(texts[1], 10, 64)
	due, dueErr := strconv.ParseInt(texts[2], 10, 64)
	expires, expiresErr := strconv.ParseInt(texts[3], 10, 64)
	claimed, claimedErr := strconv.ParseInt(texts[5], 10, 64)
	if err := errors.Join(versionErr, dueErr, expiresErr, claimedErr); err != nil || !valid {
		return store.Record{}, fmt.Errorf("redis: a %s record is not one of ours", kind)
	}
	return store.Record{
		Kind: kind, Key: texts[0], Version: version,
		Due: store.FromMillis(due), Claimed: store.FromMillis(claimed), Expires: store.FromMillis(expires),
		Value: []byte(texts[4]),
	}, nil
}
