package main

import (
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/client"
	"github.com/ghscoped/ghscoped-service/internal/deliver"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// askLimit bounds one question to the service, in which git waits.
const askLimit = 10 * time.Second

// githubURL is the web address of the only GitHub that is served.
func githubURL(getenv func(string) string) (*url.URL, error) {
	text := getenv("GHSCOPED_GITHUB_URL")
	if text == "" {
		text = "https://github.com"
	}
	address, err := url.Parse(text)
	if err != nil || address.Host == "" {
		return nil, &commandError{exit: exitUsage, code: "bad_github_url", message: "GHSCOPED_GITHUB_URL is not a web address.",
			hint: "It must look like https://github.com."}
	}
	return &url.URL{Scheme: address.Scheme, Host: address.Host}, nil
}

// service is the client for the service of this server's Hub.
func (in invocation) service() (*client.Client, error) {
	place, token := client.Find(in.getenv), in.getenv("JUPYTERHUB_API_TOKEN")
	switch {
	case place.Source == "":
		return nil, &commandError{exit: exitFailed, code: "no_service", message: "Nothing here says where the service “Connect GitHub” is.",
			hint: "On a JupyterHub use a terminal of JupyterLab: RStudio, ssh and cron drop the variables that say it. If they are missing there, too, an administrator must set GHSCOPED_URL. Elsewhere use ghscoped login --client-id ID."}
	case place.URL == nil:
		return nil, &commandError{exit: exitUsage, code: "bad_service_url", message: place.Source + " is not a web address.",
			hint: "It must look like https://HUB/services/connect-github/."}
	case token == "":
		return nil, &commandError{exit: exitFailed, code: "no_hub_token", message: "JUPYTERHUB_API_TOKEN is not set, by which the service knows whose server this is.",
			hint: "Use a terminal of JupyterLab: RStudio, ssh and cron drop the variable."}
	}
	return client.New(place.URL, secret.New(token), in.http.Transport, in.clock), nil
}

// onAHub reports whether anything here comes from a JupyterHub.
func (in invocation) onAHub() bool {
	return client.Find(in.getenv).Source != "" || in.getenv("JUPYTERHUB_API_TOKEN") != ""
}

// alone reports whether there is no service to ask: the command then talks to
// GitHub itself. What somebody has said counts more than what can be derived
// from the Hub's variables, since not every Hub has the service.
func (in invocation) alone() bool {
	place := client.Find(in.getenv)
	switch {
	case place.Told():
		return false
	case clientID(in.getenv) != "":
		return true
	case place.Source != "":
		return false
	}
	kept, err := in.keptCredential()
	return err == nil && !kept.Password.Empty()
}

func clientID(getenv func(string) string) string {
	return either(getenv, "GHSCOPED_CLIENT_ID", "GH_SCOPED_CREDS_CLIENT_ID")
}

func appURL(getenv func(string) string) string {
	return either(getenv, "GHSCOPED_APP_URL", "GH_SCOPED_CREDS_APP_URL")
}

func either(getenv func(string) string, names ...string) string {
	for _, name := range names {
		if value := getenv(name); value != "" {
			return value
		}
	}
	return ""
}

// credentialFile is where a delivery leaves the credential of the GitHub that is
// served; or one of the former release did, which knew one host only.
func credentialFile(getenv func(string) string) string {
	folder := filepath.Join(getenv("HOME"), ".config", "ghscoped")
	if host, err := githubURL(getenv); err == nil {
		file := filepath.Join(folder, deliver.Folder(host), "credential")
		if _, err := os.Stat(file); err == nil {
			return file
		}
	}
	return filepath.Join(folder, "credential")
}
