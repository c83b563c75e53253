package rig

import (
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
)

// Service is one more service of a Hub, beside the one that internal/hubtest
// registers.
type Service struct{ Name, Address, Token string }

// NewService names a service and gives it a token and a place on loopback.
func NewService(name string, port int) Service {
	return Service{Name: name, Address: fmt.Sprintf("http://127.0.0.1:%d", port), Token: rand.Text()}
}

// Register is what tells the Hub of services ([hubtest.Options.Extra]).
func Register(services ...Service) string {
	var text strings.Builder
	scopes := []string{"ACCESS"}
	for _, s := range services {
		fmt.Fprintf(&text, "c.JupyterHub.services.append(dict(connect_github, name=%q, url=%q, api_token=%q))\n", s.Name, s.Address, s.Token)
		scopes = append(scopes, fmt.Sprintf("%q", "access:services!service="+s.Name))
	}
	fmt.Fprintf(&text, "c.JupyterHub.extra_user_scopes = {%s}\n", strings.Join(scopes, ", "))
	return text.String()
}

// Env is the environment of the service, made of that of the Hub's first one.
func (s Service) Env(first []string) (env []string) {
	for _, entry := range first {
		entry = strings.ReplaceAll(entry, hubtest.ServiceName, s.Name)
		switch name, _, _ := strings.Cut(entry, "="); name {
		case "JUPYTERHUB_SERVICE_URL":
			entry = name + "=" + s.Address
		case "JUPYTERHUB_API_TOKEN":
			entry = name + "=" + s.Token
		}
		env = append(env, entry)
	}
	return env
}

// Hub is the Hub as it looks from the service.
func (s Service) Hub(hub *hubtest.Hub) *hubtest.Hub {
	own := *hub
	own.ServiceURL, own.ServiceAddr, own.ServiceToken = hub.URL+"services/"+s.Name+"/", s.Address, s.Token
	return &own
}
