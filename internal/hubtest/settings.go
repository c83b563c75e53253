package hubtest

import (
	"fmt"
	"maps"
	"net/url"
)

// settings are what demo/jupyterhub_config.py reads.
type settings struct {
	Data         string          `json:"data"`
	BindURL      string          `json:"bind_url"`
	PublicURL    string          `json:"public_url"`
	SubHost      string          `json:"subdomain_host"`
	HubPort      int             `json:"hub_port"`
	ProxyAPIPort int             `json:"proxy_api_port"`
	ProxyCommand []string        `json:"proxy_command"`
	ProxyToken   string          `json:"proxy_token"`
	Password     string          `json:"password"`
	AdminToken   string          `json:"admin_token"`
	Service      serviceSettings `json:"service"`
	SingleUser   singleUser      `json:"singleuser"`
	Extra        string          `json:"extra"`
}

type serviceSettings struct {
	URL         string            `json:"url"`
	APIToken    string            `json:"api_token"`
	Command     []string          `json:"command"`
	Environment map[string]string `json:"environment"`
}

type singleUser struct {
	Args        []string          `json:"args"`
	Environment map[string]string `json:"environment"`
	DefaultURL  string            `json:"default_url"`
}

// settings chooses the addresses and fills what the configuration reads.
func (h *Hub) settings(o Options, mark string) (*settings, error) {
	proxy, err := installed("proxy", "node_modules", ".bin", "configurable-http-proxy")
	if err != nil {
		return nil, err
	}
	ports, held, err := reserve(4)
	if err != nil {
		return nil, err
	}
	h.reserved = held
	if o.Port == 0 {
		o.Port = ports[0]
	}
	h.ProxyURL = fmt.Sprintf("http://127.0.0.1:%d", o.Port)
	h.URL = h.ProxyURL + o.BaseURL
	h.ServiceURL = h.URL + "services/" + ServiceName + "/"
	subHost := ""
	if o.Subdomains {
		subHost = fmt.Sprintf("http://hub.localhost:%d", o.Port)
		h.URL = subHost + o.BaseURL
		h.ServiceURL = fmt.Sprintf("http://%s--service.hub.localhost:%d%sservices/%[1]s/", ServiceName, o.Port, o.BaseURL)
	}
	h.ServiceAddr = fmt.Sprintf("http://127.0.0.1:%d", ports[3])
	h.APIURL = fmt.Sprintf("http://127.0.0.1:%d%shub/api", ports[1], o.BaseURL)
	return &settings{
		Data: h.Dir, BindURL: h.ProxyURL + o.BaseURL, PublicURL: h.URL, SubHost: subHost,
		HubPort: ports[1], ProxyAPIPort: ports[2],
		ProxyCommand: []string{proxy}, ProxyToken: randomHex(16),
		Password: Password, AdminToken: h.AdminToken,
		Service: serviceSettings{
			URL: h.ServiceAddr, APIToken: h.ServiceToken, Command: o.ServiceCommand,
			Environment: withMark(h.withProxyURL(o), mark),
		},
		SingleUser: single(o, mark),
		Extra:      o.Extra,
	}, nil
}

// single is how a user's server is started in each line of JupyterHub.
func single(o Options, mark string) singleUser {
	s := singleUser{Args: []string{}, Environment: withMark(o.ServerEnv, mark), DefaultURL: "/lab"}
	switch o.Version {
	case "hub4":
		s.DefaultURL = "/tree"
		s.Environment["JUPYTERHUB_SINGLEUSER_APP"] = "notebook"
	case "hub6":
		// JupyterLab would ask its makers for news and its extensions' makers
		// for extensions.
		s.Args = append(s.Args, "--LabApp.news_url=None", "--LabApp.extension_manager=readonly",
			"--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate")
	}
	return s
}

// withProxyURL is the service's environment. JupyterHub 4 has no public_url to
// tell a service where the users' servers are reached, and what it tells on a
// Hub with subdomains is a name that only browsers know.
func (h *Hub) withProxyURL(o Options) map[string]string {
	if o.Version != "hub4" && !o.Subdomains {
		return o.ServiceEnv
	}
	env := map[string]string{"GHSCOPED_PROXY_URL": h.ProxyURL}
	maps.Copy(env, o.ServiceEnv)
	return env
}

func withMark(env map[string]string, mark string) map[string]string {
	env = maps.Clone(env)
	if env == nil {
		env = map[string]string{}
	}
	env[marker] = mark
	return env
}

// serviceEnv is what JupyterHub itself sets for a managed service, and then
// what is set for this one.
func (h *Hub) serviceEnv(o Options) []string {
	access := fmt.Sprintf(`["access:services!service=%s", "access:services"]`, ServiceName)
	env := []string{
		"JUPYTERHUB_SERVICE_NAME=" + ServiceName,
		"JUPYTERHUB_SERVICE_URL=" + h.ServiceAddr,
		"JUPYTERHUB_SERVICE_PREFIX=" + o.BaseURL + "services/" + ServiceName + "/",
		"JUPYTERHUB_API_TOKEN=" + h.ServiceToken,
		"JUPYTERHUB_API_URL=" + h.APIURL,
		"JUPYTERHUB_CLIENT_ID=service-" + ServiceName,
		"JUPYTERHUB_OAUTH_SCOPES=" + access,
		"JUPYTERHUB_OAUTH_ACCESS_SCOPES=" + access,
		`JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES=["read:users!user", "read:servers!user", "tokens!user", "servers!user"]`,
		"JUPYTERHUB_BASE_URL=" + o.BaseURL,
	}
	if o.Subdomains {
		env = append(env, "JUPYTERHUB_HOST="+origin(h.URL), "JUPYTERHUB_OAUTH_CALLBACK_URL="+h.ServiceURL+"oauth_callback")
	}
	if o.Version != "hub4" {
		env = append(env, "JUPYTERHUB_PUBLIC_URL="+h.ServiceURL, "JUPYTERHUB_PUBLIC_HUB_URL="+h.URL+"hub/")
	}
	for name, value := range h.withProxyURL(o) {
		env = append(env, name+"="+value)
	}
	return env
}

// origin is the scheme and host of an address.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
