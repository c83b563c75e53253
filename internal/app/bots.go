package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/appkey"
	"github.com/ghscoped/ghscoped-service/internal/bot"
	"github.com/ghscoped/ghscoped-service/internal/config"
	"github.com/ghscoped/ghscoped-service/internal/store"
)

// CheckBots reports everything that is wrong with the files that bot tokens
// need; nil also where there are none.
func CheckBots(cfg config.Bot) error {
	if cfg.Policy == "" {
		return nil
	}
	_, err := bot.OpenPolicy(cfg.Policy)
	return errors.Join(appkey.New(cfg.PrivateKey.Path).Check(), err)
}

// joinBots enables bot tokens where their files are configured.
func (p *parts) joinBots() error {
	cfg := p.cfg.Bot
	if cfg.Policy == "" {
		return nil
	}
	if err := CheckBots(cfg); err != nil {
		return err
	}
	policy, err := bot.OpenPolicy(cfg.Policy)
	if err != nil {
		return err
	}
	policy.Measure(p.deps.Registry)
	p.policy = policy
	p.bots = bot.New(bot.Options{
		Policy: policy.Current, RepositoryFile: cfg.RepositoryFile, GitHub: p.github,
		Store: store.NewBots(p.backend, p.keys), Audit: p.audit,
		Clock: p.deps.Clock, Registry: p.deps.Registry,
	})
	return nil
}

// botsReady reports files of bot tokens that cannot be used as they are now.
func (p *parts) botsReady() error {
	if p.bots == nil {
		return nil
	}
	if err := p.appKey.Check(); err != nil {
		return err
	}
	return p.policy.Err()
}

// keyTrialLimit bounds the one call that tries the App's key.
const keyTrialLimit = 30 * time.Second

// tryKey says early that GitHub does not take the key: the key of another App
// looks like any other until it is used.
func (a *App) tryKey(ctx context.Context) {
	if a.parts.bots == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, keyTrialLimit)
	defer cancel()
	slug, err := a.parts.github.Slug(ctx)
	switch {
	case err == nil:
		a.deps.Logger.Info("bot tokens are enabled", "app", slug, "policy", fmt.Sprint(a.parts.policy.Current()))
	case ctx.Err() == nil:
		a.deps.Logger.Error("bot tokens cannot be given as it is", "error", err)
	}
}
