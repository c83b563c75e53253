package server

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ghscoped/ghscoped-service/internal/bot"
	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/hubauth"
	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/workload"
	"github.com/ghscoped/ghscoped-service/web"
)

// Hub is what the server asks of JupyterHub for a page.
type Hub interface {
	Servers(ctx context.Context, token secret.String, user string) ([]hub.Server, error)
	Shares(ctx context.Context, token secret.String, user string) (map[string][]string, error)
}

// Options are what a Server is made of.
type Options struct {
	Auth  *hubauth.Auth
	Flows *flow.Engine
	// GitHubURL is GitHub's web address, the only host that has a credential.
	GitHubURL *url.URL
	Pages     *web.Pages
	Hub       Hub
	// Bots gives installation tokens; nil: there are none.
	Bots *bot.Issuer
	// PolicyErr says why the file of the bots' policy cannot be used as it is now; nil:
	// it always can.
	PolicyErr func() error
	// Workloads says whose identity token it is; nil: none are taken.
	Workloads *workload.Verifier

	// Prefix is JUPYTERHUB_SERVICE_PREFIX; begins and ends with "/".
	Prefix string
	// PublicURL is the service as browsers see it; nil where it is not known, then
	// the Host header counts.
	PublicURL *url.URL
	// HubOrigin is the Hub's, where the page has a host of its own; else nil.
	HubOrigin *url.URL
	// AppURL is the GitHub App's page, where it is installed; nil: none named.
	AppURL *url.URL
	// WebFlow offers the approval without a code.
	WebFlow bool
	// Pull says that servers fetch the credential instead of being given it.
	Pull bool
	// Refresh says that a connection is prolonged while a server that has it runs.
	Refresh bool
	// GitIdentity has git call a person as GitHub does, where they have no name of their
	// own there.
	GitIdentity bool
	// CanStart says that the Hub lets the service start servers.
	CanStart bool

	// AdminScope is what users hold who see who is connected, and the last events
	// of History; empty: nobody does.
	AdminScope string
	History    History

	// Ready reports what keeps the service from doing its job; nil: nothing.
	Ready func(ctx context.Context) error
	// HideOps leaves metrics and health out, because they have an address of
	// their own ([Server.Ops]).
	HideOps bool

	Registry *prometheus.Registry
	Logger   *slog.Logger
	Clock    func() time.Time
}

// Server serves one Hub. Use [Server.Handler] for the Hub's proxy and
// [Server.Ops] for an address of its own with metrics and health.
type Server struct {
	auth   *hubauth.Auth
	flows  *flow.Engine
	issuer *bot.Issuer // nil: there are no bots
	// policyErr may be nil.
	policyErr func() error
	// workloads is nil where no identity tokens are taken.
	workloads *workload.Verifier
	hub       Hub
	history   History
	pages     *web.Pages

	prefix               string
	publicURL, hubOrigin *url.URL
	gitHubURL, appURL    *url.URL
	adminScope           string
	webFlow, pull        bool
	refresh, canStart    bool
	gitIdentity          bool
	hideOps              bool

	checkReady func(ctx context.Context) error
	readiness  readinessCache
	registry   *prometheus.Registry
	metrics    *metrics
	streams    *streams
	logger     *slog.Logger
	clock      func() time.Time
}

// New returns a Server.
func New(o Options) *Server {
	s := &Server{
		auth: o.Auth, flows: o.Flows, issuer: o.Bots, policyErr: o.PolicyErr, workloads: o.Workloads, hub: o.Hub, history: o.History, pages: o.Pages,
		prefix: o.Prefix, publicURL: o.PublicURL, hubOrigin: o.HubOrigin, gitHubURL: o.GitHubURL, appURL: o.AppURL,
		adminScope: o.AdminScope, webFlow: o.WebFlow, pull: o.Pull, refresh: o.Refresh, canStart: o.CanStart,
		gitIdentity: o.GitIdentity, hideOps: o.HideOps, checkReady: o.Ready,
		registry: o.Registry, metrics: newMetrics(o.Registry), logger: o.Logger, clock: o.Clock,
	}
	s.streams = newStreams(o.Registry, o.Flows.Watch, s.flowEvent)
	return s
}

// EndStreams ends the open event streams, of which net/http knows nothing any
// more, and begins none; browsers open them again, at whichever process answers
// then.
func (s *Server) EndStreams() { s.streams.close() }

// Handler serves everything below the prefix.
func (s *Server) Handler() http.Handler {
	root := chi.NewRouter()
	root.Use(s.observe, s.recoverPanic, securityHeaders(s.policy()), headAsGet)
	root.NotFound(s.handle(func(http.ResponseWriter, *http.Request) error { return errNotFound }))
	root.MethodNotAllowed(s.handle(func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Allow", strings.Join(methodsAt(root, r.URL.Path), ", ")) // RFC 9110, 15.5.6
		return errMethod
	}))
	// One flat list: each router within a router would take every request
	// through another look-up.
	s.mountPage(root, s.prefix)
	s.mountAPI(root, s.prefix+"api")
	root.Get(s.prefix+"static/*", s.pages.Static().ServeHTTP)
	if !s.hideOps {
		s.mountHealth(root, s.prefix)
		root.Get(s.prefix+"metrics", s.handle(s.guardedMetrics))
	}
	return root
}

// Ops serves metrics and health without asking who calls; it is meant for an
// address that only the operators reach.
func (s *Server) Ops() http.Handler {
	root := chi.NewRouter()
	root.Use(s.recoverPanic)
	s.mountHealth(root, "/")
	root.Get("/metrics", s.metricsHandler().ServeHTTP)
	return root
}

func (s *Server) mountPage(r chi.Router, at string) {
	r.Get(at, s.handle(s.page))
	r.Get(at+"oauth_callback", s.handle(s.callback))
	r.Get(at+"github_callback", s.handle(s.gitHubCallback))
	r.Get(at+"fragment", s.handle(s.fragment))
	r.Post(at+"connect", s.form(s.formConnect))
	r.Post(at+"confirm", s.form(s.formConfirm))
	r.Post(at+"cancel", s.form(s.formCancel))
	r.Post(at+"disconnect", s.form(s.formDisconnect))
	r.Post(at+"deliver", s.form(s.formDeliver))
	r.Post(at+"start", s.form(s.formStart))
	r.Get(at+"admin", s.handle(s.admin(s.adminPage)))
	r.Get(at+"bots", s.handle(s.admin(s.botsPage)))
	r.Post(at+"admin/disconnect", s.handle(s.admin(s.adminDisconnect)))
	r.Post(at+"admin/disconnect-all", s.handle(s.admin(s.adminDisconnectAll)))
	r.Post(at+"admin/forget-account", s.handle(s.admin(s.adminForget)))
	r.Post(at+"admin/revoke-bots", s.handle(s.admin(s.adminRevokeBots)))
}

func (s *Server) mountAPI(r chi.Router, at string) {
	r.Get(at+"/openapi.yaml", s.handle(s.openAPI))
	r.Get(at+"/flows/current", s.api(s.getFlow))
	r.Post(at+"/flows", s.api(s.postFlow))
	r.Delete(at+"/flows/current", s.api(s.deleteFlow))
	r.Get(at+"/flows/current/events", s.api(s.events))
	r.Get(at+"/connection", s.api(s.getConnection))
	r.Delete(at+"/connection", s.api(s.deleteConnection))
	r.Post(at+"/deliveries", s.api(s.postDelivery))
	r.Post(at+"/credential", s.question(s.postCredential))
	r.Delete(at+"/credential/{id}", s.api(s.deleteCredential))
	r.Delete(at+"/users/{name}", s.handle(s.deleteUser))
	r.Post(at+"/bot-tokens", s.bots(s.postBotToken))
	r.Get(at+"/bot-tokens", s.bots(s.getBotTokens))
	r.Delete(at+"/bot-tokens/{id}", s.bots(s.deleteBotToken))
}
