package main

import (
	"context"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/client"
)

func main() {
	os.Exit(run(context.Background(), invocation{
		args: os.Args, getenv: os.Getenv,
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		clock: time.Now, http: &http.Client{Transport: client.Transport(http.ProxyFromEnvironment)},
	}))
}

// interruptible ends with Ctrl-C; a second one ends the process at once.
func interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
