package store

import (
	"context"
	"errors"
	"fmt"
)

// KindCheck is the kind of the one record by which Verify knows the keys.
const KindCheck Kind = "check"

const (
	checkKey   = "keys"
	checkValue = "opens with the keys of this store"
	resealPage = 100
)

// Verify makes sure that the keyring is the one that the store was written
// with, before anything is: [ErrWrongKey] where it is not. It leaves a sealed
// record in a store that has none.
func Verify(ctx context.Context, backend Backend, keys *Keyring) error {
	record, err := backend.Get(ctx, KindCheck, checkKey)
	if errors.Is(err, ErrNotFound) {
		_, err = backend.Put(ctx, Record{
			Kind: KindCheck, Key: checkKey,
			Value: keys.Seal(KindCheck, checkKey, []byte(checkValue)),
		})
		if !errors.Is(err, ErrConflict) {
			return err
		}
		// Another replica that starts now was faster.
		record, err = backend.Get(ctx, KindCheck, checkKey)
	}
	return opens(keys, record, err)
}

// Try is [Verify] for who is not to leave anything behind: a store without a
// sealed record fits every key.
func Try(ctx context.Context, backend Backend, keys *Keyring) error {
	record, err := backend.Get(ctx, KindCheck, checkKey)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return opens(keys, record, err)
}

func opens(keys *Keyring, record Record, err error) error {
	if err == nil {
		_, err = keys.Open(KindCheck, checkKey, record.Value)
	}
	if err != nil {
		return fmt.Errorf("verifying the keys: %w", err)
	}
	return nil
}

// Reseal seals again, with the first key, every record that another one sealed,
// and counts them; when it returns without an error, only the first key is
// needed any more. It is for the background, after a start with rotated keys.
// Records that do not open are left as they are, and are an error at the end.
func Reseal(ctx context.Context, backend Backend, keys *Keyring) (resealed int, err error) {
	var faults error
	for _, kind := range []Kind{KindUser, KindSession, KindBot, KindEvent, KindCheck} {
		for after := ""; ; {
			records, err := backend.List(ctx, kind, after, resealPage)
			if err != nil {
				return resealed, fmt.Errorf("re-sealing: %w", err)
			}
			for _, record := range records {
				after = record.Key
				done, err := reseal(ctx, backend, keys, record)
				switch {
				case errors.Is(err, ErrWrongKey), errors.Is(err, ErrAltered):
					faults = errors.Join(faults, err)
				case err != nil:
					return resealed, fmt.Errorf("re-sealing: %w", err)
				case done:
					resealed++
				}
			}
			if len(records) < resealPage {
				break
			}
		}
	}
	return resealed, faults
}

// reseal seals one record again unless it is current, whoever writes it at the
// same time: a replica that has not been restarted still uses the older key.
func reseal(ctx context.Context, backend Backend, keys *Keyring, record Record) (done bool, err error) {
	for !keys.Current(record.Value) {
		clear, err := keys.Open(record.Kind, record.Key, record.Value)
		if err != nil {
			return false, err
		}
		record.Value = keys.Seal(record.Kind, record.Key, clear)
		_, err = backend.Put(ctx, record)
		if !errors.Is(err, ErrConflict) {
			return err == nil, err
		}
		record, err = backend.Get(ctx, record.Kind, record.Key)
		if errors.Is(err, ErrNotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}
