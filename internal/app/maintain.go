package app

import (
	"context"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/store"
)

// purgeEvery is how often expired records are cleared out of a store that does
// not do so by itself.
const purgeEvery = 10 * time.Minute

// mostEvents and mostEventBytes bound the events of the audit that are remembered
// for administrators; the lines are the record.
const (
	mostEvents     = 20_000
	mostEventBytes = 16 << 20
)

// purger is a backend that keeps expired records until it is told to look.
type purger interface {
	Purge(ctx context.Context) (int, error)
}

// maintain keeps the store in order until ctx ends: everything is sealed with
// the first key, and nothing expired takes up room.
func (a *App) maintain(ctx context.Context) {
	resealed, err := store.Reseal(ctx, a.parts.backend, a.parts.keys)
	if err != nil && ctx.Err() == nil {
		a.deps.Logger.Error("not every record could be sealed with the first key", "error", err)
	}
	if resealed > 0 {
		a.deps.Logger.Info("records were sealed with the first key", "records", resealed)
	}
	for every := time.NewTicker(purgeEvery); ; {
		select {
		case <-ctx.Done():
			every.Stop()
			a.reportPaced(context.WithoutCancel(ctx))
			return
		case <-every.C:
			a.reportPaced(ctx)
			a.purge(ctx)
		}
	}
}

// reportPaced writes down how many requests of bots were refused unseen.
func (a *App) reportPaced(ctx context.Context) {
	if a.parts.bots == nil {
		return
	}
	if err := a.parts.bots.ReportPaced(ctx); err != nil {
		a.deps.Logger.Error("how many requests were refused unseen could not be written into the audit", "error", err)
	}
}

func (a *App) purge(ctx context.Context) {
	if err := a.parts.events.Trim(ctx, mostEvents, mostEventBytes); err != nil && ctx.Err() == nil {
		a.deps.Logger.Error("the history could not be trimmed", "error", err)
	}
	backend, ok := a.parts.raw.(purger)
	if !ok {
		return
	}
	if _, err := backend.Purge(ctx); err != nil && ctx.Err() == nil {
		a.deps.Logger.Error("expired records could not be cleared out", "error", err)
	}
}
