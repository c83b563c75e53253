package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
)

// github is the GitHub that the demo talks to: the simulator, or the real one.
type github struct {
	URL      string `json:"url"` // empty: https://github.com
	ClientID string `json:"client_id"`
	AppURL   string `json:"app_url"`

	simulator *hubtest.Program // nil: it is real
}

// startGitHub starts the simulator, unless a real App is named.
func startGitHub(ctx context.Context, o options, echo io.Writer) (*github, error) {
	if o.clientID != "" {
		return &github{URL: o.githubURL, ClientID: o.clientID, AppURL: o.appURL}, nil
	}
	path, err := program("githubsim")
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, "-latency", githubsim.GitHubLatency.String())
	cmd.Env = os.Environ()
	simulator, err := hubtest.StartProgram(cmd, echo)
	if err != nil {
		return nil, err
	}
	gh := &github{simulator: simulator}
	if err := gh.readAddresses(ctx); err != nil {
		_ = gh.stop()
		return nil, fmt.Errorf("the GitHub simulator does not start: %w; it printed:\n%s", err, simulator.Log.Tail(20))
	}
	return gh, nil
}

// readAddresses reads the one line of JSON that the simulator prints when it listens.
func (g *github) readAddresses(ctx context.Context) error {
	if err := g.simulator.Log.Wait(ctx, "\n", g.simulator.Done()); err != nil {
		return err
	}
	line, _, _ := bytes.Cut(g.simulator.Log.Bytes(), []byte("\n"))
	return json.Unmarshal(line, g)
}

func (g *github) stop() error {
	if g.simulator == nil {
		return nil
	}
	return g.simulator.Stop(5 * time.Second)
}
