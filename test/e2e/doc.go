// Package e2e tests the whole service on the real thing: a real JupyterHub with
// its proxy, real Jupyter servers, a real Chromium and real git. GitHub alone is
// simulated.
package e2e
