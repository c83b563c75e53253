package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/ghscoped/ghscoped-service/internal/check"
	"github.com/ghscoped/ghscoped-service/internal/config"
	"github.com/ghscoped/ghscoped-service/internal/hub"
)

func (d *Doctor) hubChecks() []checker {
	return []checker{
		{"hub-api", nil, d.hubAPI},
		{"hub-token", []string{"hub-api"}, d.hubToken},
		{"hub-scopes", []string{"hub-token"}, d.hubScopes},
		{"hub-login", []string{"hub-token"}, d.hubLogin},
		{"allowed-scopes", []string{"hub-api"}, d.allowedScopes},
		{"proxy", []string{"hub-api"}, d.proxy},
	}
}

// hubAPI asks for the version, which needs no token.
func (d *Doctor) hubAPI(ctx context.Context) check.Result {
	address := d.Config.Hub.APIURL.String()
	answer, err := d.get(ctx, strings.TrimSuffix(address, "/")+"/")
	if err != nil {
		return check.Failed("Nothing answers at "+address+".", "Start the Hub, or correct JUPYTERHUB_API_URL: the Hub's own port (8081), and /hub/api below its base path.")
	}
	if d.hubVersion = versionIn(answer); d.hubVersion == "" {
		return check.Failed(fmt.Sprintf("What answers at %s (status %d) is no JupyterHub's REST API.", address, answer.status),
			"Correct JUPYTERHUB_API_URL: the Hub's own port (8081), and /hub/api below its base path.")
	}
	d.hubSkew = d.ahead(answer)
	return check.Passed("JupyterHub " + d.hubVersion + " answers at " + address + ".")
}

func versionIn(a answer) string {
	var said struct {
		Version string `json:"version"`
	}
	if a.status != http.StatusOK || json.Unmarshal(a.body, &said) != nil {
		return ""
	}
	return said.Version
}

func (d *Doctor) hubToken(ctx context.Context) check.Result {
	const same = "Give the service the token that the Hub has for it (api_token, or what the Hub passes to a managed service); under 8 characters the Hub ignores it."
	token, err := d.HubToken()
	if err != nil {
		return check.Failed(sentence(err.Error()), "Correct GHSCOPED_HUB_TOKEN_FILE, or the file's owner and mode.")
	}
	d.self, err = d.Hub.Whoami(ctx, token)
	name := d.Config.Service.Name
	switch {
	case errors.Is(err, hub.ErrUnauthorized), errors.Is(err, hub.ErrForbidden):
		return check.Failed("The Hub does not know the service's token.", same)
	case err != nil:
		return check.Failed(sentence(err.Error()), "Look into the Hub's log.")
	case d.self.Kind != "service":
		return check.Failed("The token is that of the user "+d.self.Name+", not of a service.", same)
	case d.self.Name != name:
		return check.Failed("The token is that of the service "+d.self.Name+", and the settings say "+name+".", "Give JUPYTERHUB_SERVICE_NAME the name in the Hub's configuration, or take that service's token.")
	}
	return check.Passed("The Hub knows it as that of the service " + name + ".")
}

// harmless are scopes by which nothing of a user's is reached.
func harmless(scope string) bool {
	base, _, _ := strings.Cut(scope, "!")
	return base == "access:services" || strings.HasPrefix(base, "read:services") || strings.HasPrefix(base, "list:services")
}

// hubScopes: the service works with its users' tokens, and is to hold nothing
// itself that would be worth stealing.
func (d *Doctor) hubScopes(context.Context) check.Result {
	held := slices.DeleteFunc(slices.Clone(d.self.Scopes), harmless)
	if len(held) == 0 {
		return check.Passed("The service's own token reaches no user and no server.")
	}
	return check.Failed("The service itself holds "+strings.Join(held, ", ")+".",
		"Take it out of every role (load_roles, hub.loadRoles) and out of every group of services: what it does for users it does with their tokens.")
}

// hubLogin asks for a token with a code that was never given: the Hub looks at
// the OAuth client first.
func (d *Doctor) hubLogin(ctx context.Context) check.Result {
	token, err := d.HubToken()
	if err != nil {
		return check.Failed(sentence(err.Error()), "Correct GHSCOPED_HUB_TOKEN_FILE.")
	}
	client := d.Config.Hub.ClientID
	answer, err := d.ask(ctx, http.MethodPost, d.Config.Hub.APIURL.JoinPath("oauth2", "token").String(), "", url.Values{
		"grant_type": {"authorization_code"}, "code": {"doctor"}, "redirect_uri": {d.Config.Service.CallbackURL.String()},
		"client_id": {client}, "client_secret": {token.Reveal()},
	})
	var said struct {
		Error string `json:"error"`
	}
	_ = json.Unmarshal(answer.body, &said)
	switch {
	case err != nil || answer.status >= http.StatusInternalServerError:
		return check.Warned("Whether people can sign in could not be tried: the Hub does not answer.", "Look into the Hub's log.")
	case said.Error == "invalid_client":
		return check.Failed("The Hub has no OAuth client "+client+" with this token.",
			"Give the service a url in the Hub's configuration, and no oauth_client_id.")
	case said.Error == "invalid_grant":
		return check.Passed("The Hub knows the OAuth client " + client + ".")
	}
	return check.Warned(fmt.Sprintf("Whether people can sign in could not be seen: the Hub answered %d.", answer.status), "Sign in once.")
}

// allowedScopes: the Hub compares what a login asks for with what it allows
// only once somebody has signed in, and shows the list to nobody.
func (d *Doctor) allowedScopes(context.Context) check.Result {
	asked := strings.Join(d.Config.Hub.LoginScopes, ", ")
	what := "The Hub does not show oauth_client_allowed_scopes. Assumed: it allows what a login asks for, " + asked + "."
	if d.Config.Delivery.Mode == config.Push && !d.Config.Hub.CanStart {
		what += " Without servers!user a stopped server is not started from the page."
	}
	return check.Passed(what)
}

// proxy goes the way that leads to users' servers, as far as a version that
// everybody may read, and the service's own page.
func (d *Doctor) proxy(ctx context.Context) check.Result {
	proxy := d.Config.Hub.ProxyURL
	if d.Config.Delivery.Mode == config.Pull || proxy == nil {
		return check.Passed("Not needed: nothing is written into servers (delivery is pull).")
	}
	const place = "Set GHSCOPED_PROXY_URL to where the Hub's proxy listens for users, as in http://127.0.0.1:8000 or http://proxy-public."
	answer, err := d.get(ctx, proxy.JoinPath(d.Config.Hub.BaseURL, "hub", "api").String()+"/")
	switch {
	case err != nil:
		return check.Failed("Users' servers cannot be reached: nothing answers at "+proxy.String()+".", place)
	case versionIn(answer) == "":
		return check.Failed(fmt.Sprintf("What answers at %s (status %d) is not this Hub's proxy.", proxy, answer.status), place)
	case versionIn(answer) != d.hubVersion:
		return check.Failed(fmt.Sprintf("At %s is JupyterHub %s, at JUPYTERHUB_API_URL %s.", proxy, versionIn(answer), d.hubVersion), place)
	case proxy.Host == d.Config.Hub.APIURL.Host:
		return check.Failed(proxy.String()+" is the Hub itself, which does not lead to users' servers.", place)
	}
	return d.throughProxy(ctx, proxy)
}

func (d *Doctor) throughProxy(ctx context.Context, proxy *url.URL) check.Result {
	service, prefix := d.Config.Service, d.Config.Service.Prefix
	host := "" // the proxy's, for all but a service with a host of its own
	if service.OwnHost {
		host = service.PublicURL.Host
	}
	// To whom shows no token this service says 401; what has no route, the Hub
	// redirects to a page of its own, or has none.
	question := proxy.ResolveReference(&url.URL{Path: prefix + "api/connection"})
	answer, err := d.ask(ctx, http.MethodGet, question.String(), host, nil)
	switch {
	case err != nil || answer.status >= http.StatusInternalServerError:
		return check.Warned(proxy.String()+" leads to the Hub, but not to this service at "+prefix+".",
			"Start the service; if it runs, correct its url in the Hub's configuration: the proxy must reach it there.")
	case answer.status != http.StatusUnauthorized:
		return check.Warned("The Hub has no service at "+prefix+".", "Give the service a url in the Hub's configuration, and restart the Hub.")
	}
	return check.Passed(proxy.String() + " leads to the Hub and to this service.")
}
