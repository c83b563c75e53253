//go:build !man

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/ghscoped/ghscoped-service/internal/app"
	"github.com/ghscoped/ghscoped-service/internal/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, invocation{
		args: os.Args[1:], environ: os.Environ(), readFile: os.ReadFile, stdin: os.Stdin,
		stdout: os.Stdout, stderr: os.Stderr, build: buildApp,
	}))
}

func buildApp(cfg config.Config, deps app.Dependencies) (service, error) {
	roomForHeap()
	return app.New(cfg, deps)
}
