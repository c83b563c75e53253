package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/hubtest/journey"
)

// check does what welcome asks a person to do, in a real Chromium, and says
// each step as it passes. The error names the step that failed.
func check(ctx context.Context, hub *hubtest.Hub, gh *github, out io.Writer) error {
	browser, err := hubtest.StartBrowser(ctx)
	if err != nil {
		return err
	}
	defer browser.Stop()
	j := &journey.Journey{
		Hub: hub, Browser: browser, User: "ada",
		GitHubURL: gh.URL, AppURL: gh.AppURL, Account: account, Chosen: chosen, Other: other,
	}
	err = j.Run(ctx, func(step string, took time.Duration) {
		fmt.Fprintf(out, "ok  %s (%.1f s)\n", step, took.Seconds())
	})
	if err != nil {
		return fmt.Errorf("%w\n\nthe Hub's log ends with:\n%s", err, hub.Log.Tail(40))
	}
	if complaints := browser.Complaints(hub.ServiceURL); len(complaints) > 0 {
		return fmt.Errorf("FAILED: the browser complained about the service's pages: %v", complaints)
	}
	fmt.Fprintln(out, "The whole journey works.")
	return nil
}
