package app

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ghscoped/ghscoped-service/internal/audit"
	"github.com/ghscoped/ghscoped-service/internal/config"
	"github.com/ghscoped/ghscoped-service/internal/doctor"
	"github.com/ghscoped/ghscoped-service/internal/store"
	"github.com/ghscoped/ghscoped-service/internal/store/bolt"
)

// recentEvents is how many events the doctor looks at.
const recentEvents = 100

// NewDoctor joins a doctor to what the service would use with these settings.
// readyURL is where that would answer. Nothing is opened before the doctor runs.
func NewDoctor(cfg config.Config, deps Dependencies, readyURL string) (*doctor.Doctor, error) {
	p := &parts{cfg: cfg, deps: deps}
	gitHub, err := p.gitHub()
	if err != nil {
		return nil, err
	}
	if err := p.joinHub(); err != nil {
		return nil, err
	}
	o := doctor.Options{
		Config: cfg, Store: sealedStore{p}, Hub: p.hub, HubToken: p.hubToken, GitHub: gitHub,
		ReadyURL: readyURL, HTTP: deps.HTTP, Clock: deps.Clock,
	}
	if cfg.Bot.Policy != "" {
		o.BotFiles = func() error { return CheckBots(cfg.Bot) }
	}
	if len(cfg.Bot.Issuers) > 0 {
		if err := p.joinWorkloads(); err != nil {
			return nil, err
		}
		o.Issuers = p.workloads.Try
	}
	return doctor.New(o), nil
}

// sealedStore is the doctor's view of the store.
type sealedStore struct{ *parts }

func (s sealedStore) Keys() error {
	_, err := s.load()
	return err
}

// load reads the key file as the service will, and makes none.
func (s sealedStore) load() (*store.Keyring, error) {
	cfg := s.cfg.Store
	if !cfg.MakeKey {
		return store.LoadKeyring(cfg.KeyFile)
	}
	if _, err := os.Stat(cfg.KeyFile); err != nil {
		if _, stored := os.Stat(cfg.Path); errors.Is(err, fs.ErrNotExist) && errors.Is(stored, fs.ErrNotExist) {
			return nil, doctor.ErrNothingYet
		}
		return nil, err // a store without its key
	}
	return store.EnsureKeyring(cfg.KeyFile)
}

func (s sealedStore) Try(ctx context.Context) (_ []audit.Event, err error) {
	if path := s.cfg.Store.Path; path != "" {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			if err := canMake(path); err != nil {
				return nil, err
			}
			return nil, doctor.ErrNothingYet
		}
	}
	keys, err := s.load()
	if err != nil {
		return nil, err
	}
	backend, err := s.openBackend()
	if errors.Is(err, bolt.ErrHeld) {
		return nil, doctor.ErrHeld
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, backend.Close()) }()
	if err := backend.Ping(ctx); err != nil {
		return nil, err
	}
	if err := store.Try(ctx, backend, keys); err != nil {
		return nil, err
	}
	return store.NewEvents(backend, keys).Recent(ctx, recentEvents)
}

// canMake tries whether a file can be made where path is to be.
func canMake(path string) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".doctor-*")
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}
