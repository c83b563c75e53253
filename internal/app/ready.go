package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/hubauth"
)

// ready reports what keeps the service from doing its job: a store that takes
// no records, a Hub that does not know the service, or files of bot tokens that
// are not what somebody meant. A Hub that is merely
// away does not count: restarting the service would not bring it back.
func (p *parts) ready(ctx context.Context) error {
	if err := p.backend.Ping(ctx); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	token, err := p.hubToken()
	if err != nil {
		return fmt.Errorf("the service's Hub token: %w", err)
	}
	_, err = p.hub.Whoami(ctx, token)
	if errors.Is(err, hub.ErrUnauthorized) || errors.Is(err, hub.ErrForbidden) {
		return fmt.Errorf("the Hub does not know the service's token: %w", err)
	}
	return p.botsReady()
}

// endLimit bounds the work that a dead session leaves behind.
const endLimit = 5 * time.Second

// sessionEnded: who signs out of the Hub gives up the code that was begun there
// and is still open.
func (p *parts) sessionEnded(ctx context.Context, session hubauth.Session) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endLimit)
	defer cancel()
	if err := p.engine.SignedOut(ctx, session.User, session.HubToken.String); err != nil {
		p.deps.Logger.Warn("what a dead session had begun was not cancelled", "user", session.User, "error", err)
	}
}

func registerBuild(registry prometheus.Registerer, version string) {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "ghscoped_build_info", Help: "Always 1; the label names the version.",
		ConstLabels: prometheus.Labels{"version": version},
	})
	info.Set(1)
	registry.MustRegister(info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
}
