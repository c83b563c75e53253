package app

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/appkey"
	"github.com/ghscoped/ghscoped-service/internal/audit"
	"github.com/ghscoped/ghscoped-service/internal/bot"
	"github.com/ghscoped/ghscoped-service/internal/config"
	"github.com/ghscoped/ghscoped-service/internal/deliver"
	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/githubapi"
	"github.com/ghscoped/ghscoped-service/internal/hubapi"
	"github.com/ghscoped/ghscoped-service/internal/hubauth"
	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/server"
	"github.com/ghscoped/ghscoped-service/internal/store"
	"github.com/ghscoped/ghscoped-service/internal/store/bolt"
	"github.com/ghscoped/ghscoped-service/internal/store/redis"
	"github.com/ghscoped/ghscoped-service/internal/workload"
	"github.com/ghscoped/ghscoped-service/web"
)

// parts is the service while it is being joined, from the store upwards.
type parts struct {
	cfg  config.Config
	deps Dependencies

	keys    *store.Keyring
	raw     store.Backend // as it was opened
	backend store.Backend // measured; nil where only a doctor looks
	events  *store.Events
	audit   *audit.Log
	hub     *hubapi.Client
	github  *githubapi.Client
	appKey  *appkey.File // nil where no key is configured
	engine  *flow.Engine
	bots    *bot.Issuer // nil where bot tokens are not enabled
	policy  *bot.PolicyFile
	// workloads verifies identity tokens; nil where no issuer is configured.
	workloads *workload.Verifier
	auth      *hubauth.Auth
	server    *server.Server
}

func (p *parts) join() error {
	for _, part := range []func() error{p.openStore, p.joinHub, p.joinFlow, p.joinBots, p.joinWorkloads, p.joinAuth, p.joinServer} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

func (p *parts) openStore() error {
	cfg := p.cfg.Store
	load := store.LoadKeyring
	if cfg.MakeKey {
		load = store.EnsureKeyring
	}
	keys, err := load(cfg.KeyFile)
	if err != nil {
		return fmt.Errorf("sealing keys: %w", err)
	}
	backend, err := p.openBackend()
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	wrapped := backend
	if p.deps.WrapStore != nil {
		wrapped = p.deps.WrapStore(backend)
	}
	p.keys, p.raw, p.backend = keys, backend, store.Observed(wrapped, p.deps.Registry)
	p.events = store.NewEvents(p.backend, p.keys)
	p.audit = audit.New(p.deps.Audit, p.events, p.deps.Logger)
	return p.verifyKeys(context.Background())
}

func (p *parts) openBackend() (store.Backend, error) {
	if address := p.cfg.Store.Redis; address != nil {
		return redis.Open(address.String(), p.deps.Clock, p.deps.Logger)
	}
	return bolt.Open(p.cfg.Store.Path, p.deps.Clock)
}

// verifyLimit bounds the look at the store at the start.
const verifyLimit = 5 * time.Second

// verifyKeys refuses a start with keys that do not open the store. A store that
// cannot be reached is no reason not to start: the page says so, and records
// that do not open do no harm.
func (p *parts) verifyKeys(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, verifyLimit)
	defer cancel()
	err := store.Verify(ctx, p.backend, p.keys)
	if errors.Is(err, store.ErrWrongKey) {
		return fmt.Errorf("sealing keys: %w", err)
	}
	if err != nil {
		p.deps.Logger.Warn("the sealing keys could not be tried on the store", "error", err)
	}
	return nil
}

func (p *parts) joinHub() error {
	proxy := p.cfg.Hub.ProxyURL
	if proxy == nil { // pull mode: no server is ever reached into
		proxy = p.cfg.Hub.APIURL
	}
	p.hub = hubapi.New(p.cfg.Hub.APIURL, proxy, p.cfg.Hub.Origin, p.deps.HTTP, newHubMetrics(p.deps.Registry))
	return nil
}

func (p *parts) joinFlow() error {
	var err error
	if p.github, err = p.gitHub(); err != nil {
		return err
	}
	deliverer, err := p.deliverer()
	if err != nil {
		return err
	}
	var webFlow flow.WebFlow // nil without a client secret
	if p.github.WebFlow() {
		webFlow = p.github
	}
	p.engine = flow.New(flow.Options{
		GitHub: p.github, WebFlow: webFlow, Hub: p.hub, Deliverer: deliverer,
		Store: store.NewUsers(p.backend, p.keys, p.deps.Clock, p.deps.Logger),
		Audit: p.audit, GitHubURL: p.cfg.GitHub.URL,
		Identity: flow.Identity(p.cfg.GitHub.Identity), HubTokenLife: p.cfg.Service.SessionLifetime,
		KeepFresh: p.cfg.Delivery.Refresh, RevokeOnStop: p.cfg.Delivery.RevokeOnStop, OneRepository: p.cfg.Delivery.OneRepository,
		Clock: p.deps.Clock, Logger: p.deps.Logger, Registry: p.deps.Registry,
	})
	return nil
}

func (p *parts) gitHub() (*githubapi.Client, error) {
	cfg := p.cfg.GitHub
	options := githubapi.Options{
		Web: cfg.URL, API: cfg.APIURL, ClientID: cfg.ClientID, ClientSecret: cfg.ClientSecret.Value,
		HTTP: p.deps.GitHub, Clock: p.deps.Clock, Metrics: newGitHubMetrics(p.deps.Registry),
	}
	if cfg.AppURL != nil {
		options.AppURL = cfg.AppURL.String()
	}
	if path := p.cfg.Bot.PrivateKey.Path; path != "" {
		p.appKey = appkey.New(path)
		options.Signer = p.appKey
	}
	if p.backend != nil {
		options.Limits = store.NewLimits(p.backend)
	}
	return githubapi.New(options)
}

// deliverer is nil in pull mode: nothing is written into servers.
func (p *parts) deliverer() (flow.Deliverer, error) {
	cfg := p.cfg.Delivery
	if cfg.Mode == config.Pull {
		return nil, nil
	}
	return deliver.New(deliver.Options{
		HTTP: p.deps.HTTP, Host: p.cfg.GitHub.URL, CredentialPath: cfg.CredentialsPath, Page: p.cfg.Service.PublicURL,
		GitIdentity: cfg.GitIdentity, RewriteSSH: cfg.RewriteSSH, GHCommand: cfg.GHCommand,
	})
}

func (p *parts) joinAuth() error {
	keys, err := p.cookieKeys()
	if err != nil {
		return err
	}
	cfg := p.cfg
	hubDomain := "" // the Hub's host alone
	if cfg.Service.OwnHost {
		hubDomain = cfg.Hub.Origin.Hostname()
	}
	p.auth = hubauth.New(hubauth.Options{
		Hub: p.hub, Sessions: store.NewSessions(p.backend, p.keys), CookieKeys: keys,
		ClientID: cfg.Hub.ClientID, ClientSecret: p.hubToken,
		AuthorizeURL: cfg.Hub.BrowserURL.JoinPath("api", "oauth2", "authorize").String(),
		TokenURL:     cfg.Hub.APIURL.JoinPath("oauth2", "token").String(),
		RedirectURL:  cfg.Service.CallbackURL.String(),
		Scopes:       cfg.Hub.LoginScopes, AccessScopes: cfg.Hub.AccessScopes,
		Prefix: cfg.Service.Prefix, PublicURL: cfg.Service.PublicURL, Life: cfg.Service.SessionLifetime,
		HostCookies: cfg.Service.HostCookies, HubCookiePath: cfg.Hub.BaseURL, HubCookieDomain: hubDomain,
		HTTP: p.deps.HTTP, Clock: p.deps.Clock, Ended: p.sessionEnded,
	})
	return nil
}

// hubToken is the service's own Hub token, read again from its file: a
// deployment may replace it at any time.
func (p *parts) hubToken() (secret.String, error) { return p.cfg.Hub.Token.Reload(os.ReadFile) }

// cookieKeys are made of the sealing keys, so that a new first key signs nobody
// out as long as the old one stays in the file.
func (p *parts) cookieKeys() ([]hubauth.CookieKey, error) {
	sign, err := p.keys.Derive("cookie signing", 32)
	if err != nil {
		return nil, fmt.Errorf("cookie keys: %w", err)
	}
	seal, err := p.keys.Derive("cookie encryption", 32)
	if err != nil {
		return nil, fmt.Errorf("cookie keys: %w", err)
	}
	keys := make([]hubauth.CookieKey, len(sign))
	for i := range sign {
		keys[i] = hubauth.CookieKey{Sign: sign[i], Seal: seal[i]}
	}
	return keys, nil
}

func (p *parts) joinServer() error {
	cfg := p.cfg
	pages, err := p.pages()
	if err != nil {
		return err
	}
	var hubOrigin *url.URL // nil where it is the page's own
	if cfg.Service.OwnHost {
		hubOrigin = cfg.Hub.Origin
	}
	p.server = server.New(server.Options{
		Auth: p.auth, Flows: p.engine, GitHubURL: cfg.GitHub.URL, Pages: pages, Hub: p.hub, Bots: p.bots, PolicyErr: p.policy.Err, Workloads: p.workloads,
		Prefix: cfg.Service.Prefix, PublicURL: cfg.Service.PublicURL, HubOrigin: hubOrigin, AppURL: cfg.GitHub.AppURL,
		WebFlow: !cfg.GitHub.ClientSecret.Value.Empty(), Pull: cfg.Delivery.Mode == config.Pull, Refresh: cfg.Delivery.Refresh, CanStart: cfg.Hub.CanStart,
		GitIdentity: cfg.Delivery.GitIdentity,
		AdminScope:  cfg.Page.AdminScope, History: p.events,
		Ready: p.ready, HideOps: cfg.Service.MetricsAddr != "",
		Registry: p.deps.Registry, Logger: p.deps.Logger, Clock: p.deps.Clock,
	})
	return nil
}

func (p *parts) pages() (*web.Pages, error) {
	cfg := p.cfg
	options := web.Options{
		Prefix: cfg.Service.Prefix, HubPrefix: cfg.Hub.BaseURL + "hub/", HubName: cfg.Page.HubName,
		GitHubHost: cfg.GitHub.URL.Host,
	}
	if cfg.Service.OwnHost {
		options.HubURL = cfg.Hub.BrowserURL.String()
	}
	if cfg.Page.HelpURL != nil {
		options.HelpURL = cfg.Page.HelpURL.String()
	}
	return web.New(options)
}
