package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/ghscoped/ghscoped-service/internal/config"
)

// healthLimit bounds one question to the running service.
const healthLimit = 5 * time.Second

func newHealthcheck(in invocation) *cobra.Command {
	return &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask the running service whether it is well",
		Long: `Asks the service that runs with the same settings on this machine, for
containers without a shell and curl.

Exit codes: 0 it is well; 1 it is not, or does not run; 2 the settings.`,
		Args: atMost(0),
		RunE: in.healthcheck,
	}
}

func (in invocation) healthcheck(cmd *cobra.Command, _ []string) error {
	cfg, err := in.settings(cmd)
	if err != nil {
		return err
	}
	if err := askHealth(cmd.Context(), opsURL(cfg.Service, "healthz")); err != nil {
		return &failure{exitFault, fmt.Errorf("not well: %w", err)}
	}
	fmt.Fprintln(in.stdout, "ok")
	return nil
}

// opsURL is where the service tells about itself on this machine: an address
// that means every interface is asked on loopback.
func opsURL(s config.Service, name string) string {
	address, path := s.Listen, s.Prefix+name
	if s.MetricsAddr != "" {
		address, path = s.MetricsAddr, "/"+name
	}
	return localURL(address, path)
}

// localURL is where a service that listens at address is reached on this machine.
func localURL(address, path string) string {
	host, port, _ := net.SplitHostPort(address) // config has checked it
	switch host {
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	return "http://" + net.JoinHostPort(host, port) + path
}

func askHealth(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, healthLimit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	// No proxy from the environment: the service is on this machine.
	client := &http.Client{Transport: &http.Transport{}}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", address, response.Status)
	}
	return nil
}
