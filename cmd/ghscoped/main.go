//go:build !man

package main

import (
	"context"
	"net/http"
	"os"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/client"
)

func main() {
	os.Exit(run(context.Background(), invocation{
		args: os.Args, getenv: os.Getenv, lookupenv: os.LookupEnv,
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		clock: time.Now, http: &http.Client{Transport: client.Transport(http.ProxyFromEnvironment)},
		identityFile: identityFile,
	}))
}
