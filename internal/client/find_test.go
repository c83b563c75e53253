package client_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/client"
)

func TestFindTheServiceByWhatTheHubTellsAServer(t *testing.T) {
	t.Parallel()
	const usual = "/jhub/services/connect-github/"
	for name, test := range map[string]struct {
		told        map[string]string
		place, page string
	}{
		"nothing": {},
		"JupyterHub 5 and 6 with public_url": {map[string]string{
			"JUPYTERHUB_PUBLIC_HUB_URL": "https://hub.example.org/jhub/hub/", "JUPYTERHUB_HOST": "https://hub.example.org",
			"JUPYTERHUB_OAUTH_CALLBACK_URL": "/jhub/user/ada/oauth_callback",
		}, "https://hub.example.org" + usual, "https://hub.example.org" + usual},
		"JupyterHub 5 and 6 with subdomain_host": {map[string]string{
			"JUPYTERHUB_PUBLIC_HUB_URL": "https://hub.example.org/jhub/hub/", "JUPYTERHUB_HOST": "https://hub.example.org",
			"JUPYTERHUB_OAUTH_CALLBACK_URL": "https://ada.hub.example.org/jhub/user/ada/oauth_callback",
		}, "https://connect-github--service.hub.example.org" + usual, "https://connect-github--service.hub.example.org" + usual},
		"JupyterHub 4 with subdomain_host": {map[string]string{
			"JUPYTERHUB_HOST":               "https://hub.example.org:8443",
			"JUPYTERHUB_OAUTH_CALLBACK_URL": "https://ada.hub.example.org:8443/jhub/user/ada/oauth_callback",
		}, "https://services.hub.example.org:8443" + usual, "https://services.hub.example.org:8443" + usual},
		"a service of another name, told with an address of its own": {map[string]string{
			"GHSCOPED_URL":                  "http://ghscoped.svc/jhub/services/github/",
			"JUPYTERHUB_PUBLIC_HUB_URL":     "https://hub.example.org/jhub/hub/",
			"JUPYTERHUB_OAUTH_CALLBACK_URL": "https://ada.hub.example.org/jhub/user/ada/oauth_callback",
		}, "http://ghscoped.svc/jhub/services/github/", "https://github--service.hub.example.org/jhub/services/github/"},
		"an address that is none": {map[string]string{"JUPYTERHUB_HOST": "hub"}, "", ""},
	} {
		getenv := func(variable string) string {
			if variable == "JUPYTERHUB_BASE_URL" {
				return "/jhub/"
			}
			return test.told[variable]
		}
		found := ""
		if place := client.Find(getenv); place.URL != nil {
			found = place.URL.String()
		}
		require.Equal(t, test.place, found, name)
		require.Equal(t, test.page, client.Page(getenv), name)
	}
}
