package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/appkey"
	"github.com/ghscoped/ghscoped-service/internal/bot"
	"github.com/ghscoped/ghscoped-service/internal/config"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/metrics"
	"github.com/ghscoped/ghscoped-service/internal/secret"
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
	metrics.Policy(p.deps.Registry, policy)
	p.policy = policy
	p.bots = bot.New(bot.Options{
		Policy: policy.Current, RepositoryFile: cfg.RepositoryFile, GitHub: botGitHub{p.github},
		Store: store.NewBots(p.backend, p.keys), Audit: p.audit,
		Clock: p.deps.Clock, Metrics: metrics.Bot(p.deps.Registry),
	})
	return nil
}

// botGitHub says what GitHub answered in the words of internal/bot. The two
// rooms do not know each other, since the program in the users' servers calls
// GitHub too, and git would wait for a reader of policies (cmd/ghscoped).
type botGitHub struct{ *github.Client }

func (g botGitHub) Mint(ctx context.Context, owner string, repositories []string, permissions map[string]string) (bot.Minted, error) {
	token, err := g.Client.Mint(ctx, owner, repositories, permissions)
	return bot.Minted(token), err
}

func (g botGitHub) Identity(ctx context.Context, token secret.String) (bot.Identity, error) {
	identity, err := g.Client.Identity(ctx, token)
	return bot.Identity(identity), err
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
