package client

import (
	"net/url"
	"path"
	"strings"
)

// servicePath is where the service is below a Hub's base path, by its usual
// name. A service with another name is told by GHSCOPED_URL.
const servicePath = "services/connect-github/"

// Place is the service's address as a server's environment gives it.
type Place struct {
	// URL ends with "/". Nil: the environment does not say.
	URL *url.URL
	// Source is the variable that says so.
	Source string
}

// Told reports whether somebody named the service itself, as opposed to a Hub
// that may or may not have it.
func (p Place) Told() bool { return p.Source == "GHSCOPED_URL" }

// Find returns where the service is: at GHSCOPED_URL, or else at its usual
// place on the Hub's public address. JupyterHub tells a server that address
// (since 5.0) only where public_url or subdomain_host is configured;
// JUPYTERHUB_API_URL does not help, since the Hub itself does not pass requests
// on to services.
func Find(getenv func(string) string) Place {
	if told := getenv("GHSCOPED_URL"); told != "" {
		return Place{address(told, ""), "GHSCOPED_URL"}
	}
	base := getenv("JUPYTERHUB_BASE_URL")
	if !strings.HasSuffix(base, "/") {
		base += "/"
	}
	return public(getenv, base+servicePath)
}

// Page is where a person finds the service's page, on the Hub's public address;
// empty where the environment does not say. GHSCOPED_URL may be an address that
// only servers reach, so its path counts but not its host.
func Page(getenv func(string) string) string {
	place := Find(getenv)
	if place.URL == nil {
		return ""
	}
	if place = public(getenv, place.URL.Path); place.URL == nil {
		return ""
	}
	return place.URL.String()
}

// public is the service at a path, on the Hub's public address.
func public(getenv func(string) string, path string) Place {
	for _, name := range []string{"JUPYTERHUB_PUBLIC_HUB_URL", "JUPYTERHUB_HOST"} {
		if value := getenv(name); value != "" {
			place := Place{address(value, path), name}
			if place.URL != nil {
				place.URL.Host = subdomain(getenv, place.URL.Path) + place.URL.Host
			}
			return place
		}
	}
	return Place{}
}

// subdomain is the service's below the Hub's host, with a dot; empty where it is
// on the same host. A Hub with subdomain_host names a server's own host in its
// callback. Services are at names of their own since JupyterHub 5, which also
// tells its public address, and all at one before; who has chosen other names
// (subdomain_hook) sets GHSCOPED_URL.
func subdomain(getenv func(string) string, servicePath string) string {
	callback, err := url.Parse(getenv("JUPYTERHUB_OAUTH_CALLBACK_URL"))
	switch {
	case err != nil || callback.Host == "":
		return ""
	case getenv("JUPYTERHUB_PUBLIC_HUB_URL") == "":
		return "services."
	}
	return path.Base(servicePath) + "--service."
}

// address is an http(s) address that ends with "/"; with a path, at that path
// of the same host. Nil: the text is none.
func address(text, path string) *url.URL {
	parsed, err := url.Parse(text)
	if err != nil || parsed.Host == "" || (parsed.Scheme != "http" && parsed.Scheme != "https") {
		return nil
	}
	if path == "" {
		path = parsed.Path
	}
	if !strings.HasSuffix(path, "/") {
		path += "/"
	}
	return &url.URL{Scheme: parsed.Scheme, Host: parsed.Host, Path: path}
}
