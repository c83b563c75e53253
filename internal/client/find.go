package client

import (
	"net/url"
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
// JUPYTERHUB_API_URL is of no use, since the Hub itself does not pass requests
// on to services.
func Find(getenv func(string) string) Place {
	if told := getenv("GHSCOPED_URL"); told != "" {
		return Place{address(told, ""), "GHSCOPED_URL"}
	}
	path := getenv("JUPYTERHUB_BASE_URL")
	if !strings.HasSuffix(path, "/") {
		path += "/"
	}
	for _, name := range []string{"JUPYTERHUB_PUBLIC_HUB_URL", "JUPYTERHUB_HOST"} {
		if value := getenv(name); value != "" {
			return Place{address(value, path+servicePath), name}
		}
	}
	return Place{}
}

// Page is where a person finds the service's page, on the Hub's public address;
// empty where the environment does not say. GHSCOPED_URL may be an address that
// only servers reach, so its path counts but not its host.
func Page(getenv func(string) string) string {
	place := Find(getenv)
	for _, name := range []string{"JUPYTERHUB_PUBLIC_HUB_URL", "JUPYTERHUB_HOST"} {
		if value := getenv(name); value != "" && place.URL != nil {
			if page := address(value, place.URL.Path); page != nil {
				return page.String()
			}
		}
	}
	return ""
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
