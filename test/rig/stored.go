package rig

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/hubauth"
	"github.com/ghscoped/ghscoped-service/internal/store"
)

// What the secrets are that only the store knows.
const (
	hubToken   = "a user's Hub token"
	hubSession = "the Hub's name of a session"
)

// mostStored is more records of a kind than a test ever makes.
const mostStored = 10_000

// AddStored adds what a store keeps sealed of its users, and nobody else knows:
// their own Hub tokens and what their browsers must name. It returns how many
// Hub tokens there were.
func (s *Secrets) AddStored(ctx context.Context, backend store.Backend, keyFile string) (hubTokens int, err error) {
	keys, err := store.LoadKeyring(keyFile)
	if err != nil {
		return 0, err
	}
	sessions, err := stored[hubauth.Session](ctx, backend, keys, store.KindSession)
	if err != nil {
		return 0, err
	}
	for _, session := range sessions {
		s.Add("a CSRF token", session.CSRF.Reveal())
		s.Add(hubSession, session.HubSessionID)
		s.Add(hubToken, session.HubToken.Reveal())
	}
	users, err := stored[flow.User](ctx, backend, keys, store.KindUser)
	for _, user := range users {
		s.Add(hubToken, user.HubToken.Reveal())
	}
	for _, what := range s.values {
		if what == hubToken {
			hubTokens++
		}
	}
	return hubTokens, err
}

// stored opens every record of a kind.
func stored[T any](ctx context.Context, backend store.Backend, keys *store.Keyring, kind store.Kind) (opened []T, err error) {
	records, err := backend.List(ctx, kind, "", mostStored)
	if err != nil {
		return nil, err
	}
	opened = make([]T, len(records))
	for i, record := range records {
		clear, err := keys.Open(kind, record.Key, record.Value)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(clear, &opened[i]); err != nil {
			return nil, fmt.Errorf("a %s record: %w", kind, err)
		}
	}
	return opened, nil
}
