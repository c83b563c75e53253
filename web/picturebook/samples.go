package picturebook

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/web"
)

// Sample is one page in one state.
type Sample struct {
	// Name is the file's and the address's.
	Name string
	// Says is what the page is for, in a few words.
	Says string
	// View is the user's page; nil where Write is set.
	View *web.View
	// Write writes another kind of page.
	Write func(pages *web.Pages, w io.Writer, lang string) error
}

// Page writes the whole document.
func (s Sample) Page(pages *web.Pages, w io.Writer, lang string) error {
	if s.Write != nil {
		return s.Write(pages, w, lang)
	}
	return pages.Page(w, lang, *s.View)
}

// CSRF is the token in every sample.
const CSRF = "a-token-of-the-picture-book"

// Samples are all states, as seen at a given time.
func Samples(now time.Time) []Sample {
	b := builder{now}
	return append(append(b.flows(), b.connections()...), b.others()...)
}

type builder struct{ now time.Time }

func (b builder) view(state web.State) *web.View {
	return &web.View{CSRF: CSRF, User: "ada", Now: b.now, State: state, Servers: []web.Server{b.server("", web.ServerNone, true)}}
}

func (b builder) with(state web.State, change func(v *web.View)) *web.View {
	v := b.view(state)
	change(v)
	return v
}

func (b builder) server(name string, state web.ServerState, running bool) web.Server {
	return web.Server{Name: name, State: state, Running: running, URL: "/user/ada/" + name, CanStart: true, Method: "terminal"}
}

func (b builder) flow() *web.Flow {
	return &web.Flow{
		Mode: web.Device, UserCode: "WDJB-MJHT", VerificationURI: "https://github.com/login/device",
		StartedAt: b.now.Add(-92 * time.Second), ExpiresAt: b.now.Add(808 * time.Second), Interval: 5 * time.Second,
	}
}

func (b builder) flows() []Sample {
	return []Sample{
		{Name: "none", Says: "not connected, the first time", View: b.with(web.None, func(v *web.View) { v.Chooses = true })},
		{Name: "none-again", Says: "not connected, by somebody who has chosen repositories before", View: b.view(web.None)},
		{Name: "none-web", Says: "not connected, the first time, with the web flow and two servers", View: b.with(web.None, func(v *web.View) {
			v.WebFlow, v.Confirms, v.Chooses = true, true, true
			v.Servers = append(v.Servers, b.server("gpu", web.ServerNone, false))
		})},
		{Name: "none-asking", Says: "not connected; a program in a server asks, and one server is shared", View: b.with(web.None, func(v *web.View) {
			asking := "joint"
			v.Asking = &asking
			v.Servers = append(v.Servers, b.server("joint", web.ServerNone, true))
			v.Servers[1].Shared = []string{"eve", "lab"}
		})},
		{Name: "pending", Says: "the code is shown", View: b.with(web.Pending, func(v *web.View) { v.Flow = b.flow() })},
		{Name: "pending-web", Says: "the web flow is under way", View: b.with(web.Pending, func(v *web.View) {
			v.Flow, v.WebFlow = b.flow(), true
			v.Flow.Mode, v.Flow.UserCode, v.Flow.VerificationURI, v.Flow.Interval = web.Web, "", "", 0
			v.Flow.ExpiresAt = v.Flow.StartedAt.Add(10 * time.Minute)
		})},
		{Name: "pending-trouble", Says: "the code is shown, and GitHub does not answer", View: b.with(web.Pending, func(v *web.View) {
			v.Flow = b.flow()
			v.Flow.Problem = &web.Problem{Code: apierror.CodeGitHubUnreachable, Message: "GitHub cannot be reached at the moment.", Hint: "Nothing is lost; the service retries."}
		})},
		{Name: "approved", Says: "approved the first time, the account is being checked", View: b.with(web.Approved, func(v *web.View) {
			v.Flow, v.Chooses = b.flow(), true
			v.Servers = []web.Server{b.server("", web.ServerQueued, true)}
		})},
		{Name: "unconfirmed", Says: "approved by the web flow, the account waits to be confirmed", View: b.with(web.Approved, func(v *web.View) {
			v.WebFlow = true
			v.Flow = &web.Flow{Mode: web.Web, StartedAt: b.now.Add(-time.Minute), ExpiresAt: b.now.Add(8 * time.Minute), Unconfirmed: "ada-lovelace"}
		})},
		{Name: "delivering", Says: "one server done, one being set up, one starting", View: b.with(web.Delivering, func(v *web.View) {
			v.Flow = b.flow()
			v.Servers = []web.Server{b.server("", web.ServerDelivered, true), b.server("gpu", web.ServerQueued, true), b.server("teaching", web.ServerStarting, false)}
			v.Servers[2].Progress = "Pulling image quay.io/jupyter/scipy-notebook"
		})},
		{Name: "delivering-stopped", Says: "the server does not run; starting it is offered", View: b.with(web.Delivering, func(v *web.View) {
			v.Flow = b.flow()
			v.Servers = []web.Server{b.server("", web.ServerWaiting, false)}
		})},
		{Name: "expired", Says: "the code was not used in time", View: b.with(web.Expired, func(v *web.View) { v.Flow = b.flow() })},
		{Name: "expired-access", Says: "the 8 hours are over", View: b.with(web.Expired, func(v *web.View) {
			v.Flow = &web.Flow{Problem: &web.Problem{Code: apierror.CodeConnectionExpired, Message: "Your 8 hours are over.", Hint: "Connect again whenever you need to push."}}
		})},
		{Name: "expired-web", Says: "GitHub's page was not answered in time", View: b.with(web.Expired, func(v *web.View) {
			v.WebFlow = true
			v.Flow = &web.Flow{Mode: web.Web, Problem: &web.Problem{Code: apierror.CodeApprovalExpired, Message: "GitHub's page was not answered in time.", Hint: "Connect again."}}
		})},
		{Name: "expired-server", Says: "the server stopped, and the access with it", View: b.with(web.Expired, func(v *web.View) {
			v.Flow = &web.Flow{Problem: &web.Problem{Code: apierror.CodeServersStopped, Message: "Your server stopped, and the connection ended with it. The token was revoked.", Hint: "Connect again when your server runs."}}
			v.Servers = []web.Server{b.server("", web.ServerRemoving, false)}
		})},
		{Name: "denied", Says: "declined at GitHub", View: b.with(web.Denied, func(v *web.View) { v.Flow = b.flow() })},
		{Name: "cancelled", Says: "cancelled or disconnected here, one stopped server still to be cleaned up", View: b.with(web.Cancelled, func(v *web.View) {
			v.Servers = []web.Server{b.server("gpu", web.ServerRemoving, false)}
		})},
		{Name: "cancelled-by-admin", Says: "an admin ended the access", View: b.with(web.Cancelled, func(v *web.View) {
			v.Flow = &web.Flow{Problem: &web.Problem{Code: apierror.CodeConnectionEnded, Message: "An administrator ended your connection. The token was revoked.", Hint: "Ask them before you connect again."}}
		})},
		{Name: "failed", Says: "the GitHub App does not allow codes", View: b.with(web.Failed, func(v *web.View) {
			v.Flow = &web.Flow{Problem: &web.Problem{Code: apierror.CodeDeviceFlowDisabled, Message: "The GitHub App does not allow the device flow.", Hint: "An administrator must tick “Enable Device Flow” in the settings of the GitHub App."}}
		})},
	}
}

func (b builder) connected(access web.AccessState, repositories []web.Repository) *web.View {
	return b.with(web.Connected, func(v *web.View) {
		v.Servers = []web.Server{b.server("", web.ServerDelivered, true)}
		v.Connection = &web.Connection{
			Login: "ada-lovelace", Author: "Ada Lovelace <ada@example.org>", Since: b.now.Add(-17 * time.Minute), ExpiresAt: b.now.Add(7*time.Hour + 43*time.Minute),
			Access: access, Repositories: repositories,
			AddURL: "https://github.com/apps/research-hub/installations/new",
		}
	})
}

func (b builder) connections() []Sample {
	few := []web.Repository{
		{FullName: "ada-lovelace/engine", Push: true}, {FullName: "ada-lovelace/notes-on-the-engine", Push: true},
		{FullName: "babbage-lab/difference-engine", Push: true}, {FullName: "babbage-lab/handbook"},
	}
	servers := b.connected(web.AccessReady, few)
	servers.Servers = []web.Server{
		b.server("", web.ServerDelivered, true), b.server("gpu", web.ServerFailed, true),
		b.server("teaching", web.ServerWaiting, false), b.server("old", web.ServerNone, false),
	}
	servers.Servers[1].Problem = &web.Problem{Code: "disk_full", Message: "The disk that holds the home folder is full.", Hint: "Delete what you no longer need, then set it up again."}
	pull := b.connected(web.AccessReady, few)
	pull.Pull, pull.Servers = true, []web.Server{b.server("", web.ServerAllowed, true), b.server("joint", web.ServerNone, true)}
	pull.Servers[1].CanAllow, pull.Servers[1].Shared = true, []string{"eve"}
	program := b.connected(web.AccessReady, few)
	joint := "joint"
	stopped, soon := b.connected(web.AccessReady, few), b.connected(web.AccessReady, few)
	stopped.Servers[0].Running = false
	soon.Connection.ExpiresAt = b.now.Add(12 * time.Minute)
	program.Connection.Program, program.Servers[0].State = &joint, web.ServerNone
	return []Sample{
		{Name: "connected", Says: "connected", View: b.connected(web.AccessReady, few)},
		{Name: "connected-stopped", Says: "connected, and the server does not run; starting it is offered", View: stopped},
		{Name: "connected-soon", Says: "connected for a few minutes more", View: soon},
		{Name: "connected-servers", Says: "connected, servers in several states", View: servers},
		{Name: "connected-many", Says: "connected, 500 repositories in 5 installations", View: b.connected(web.AccessReady, Many())},
		{Name: "connected-reading", Says: "connected, the repositories are being read", View: b.connected(web.AccessUnknown, nil)},
		{Name: "connected-pull", Says: "connected, the servers fetch the credential", View: pull},
		{Name: "connected-by-program", Says: "a program in a server connected; nothing is delivered before a click", View: program},
		{Name: "access-not-installed", Says: "connected, but no repository was chosen at GitHub", View: b.connected(web.AccessNotInstalled, nil)},
		{Name: "access-no-repository", Says: "connected, the installation holds no repository", View: b.connected(web.AccessNoRepository, nil)},
		{Name: "access-suspended", Says: "connected, but the installation is suspended", View: missing(b.connected(web.AccessSuspended, nil),
			web.Missing{Account: "ada-lovelace", Access: web.AccessSuspended, FixURL: "https://github.com/settings/installations/7"})},
		{Name: "access-read-only", Says: "connected, but nothing can be pushed to", View: b.connected(web.AccessReadOnly, few[3:])},
		{Name: "access-archived", Says: "connected, but what was chosen is archived", View: b.connected(web.AccessArchived, []web.Repository{{FullName: "ada-lovelace/engine", Archived: true}})},
		{Name: "access-single-sign-on", Says: "connected, but the organisation wants a single sign-on first", View: missing(b.connected(web.AccessSingleSignOn, nil),
			web.Missing{Account: "babbage-lab", Access: web.AccessSingleSignOn, FixURL: "https://github.com/orgs/babbage-lab/sso"})},
		{Name: "access-requested", Says: "connected; the organisation's owners have not agreed to the app yet", View: missing(b.connected(web.AccessRequested, nil),
			web.Missing{Account: "babbage-lab", Access: web.AccessRequested, FixURL: "https://github.com/organizations/babbage-lab/settings/installations"})},
		{Name: "access-refused", Says: "connected, but the organisation shows the Hub nothing", View: missing(b.connected(web.AccessRefused, nil),
			web.Missing{Account: "babbage-lab", Access: web.AccessRefused, FixURL: "https://github.com/orgs/babbage-lab/people"})},
		{Name: "connected-missing", Says: "connected, but some organisations want something first; back from asking for the app", View: asked(missing(b.connected(web.AccessReady, few[:2]),
			web.Missing{Account: "babbage-lab", Access: web.AccessSingleSignOn, FixURL: "https://github.com/orgs/babbage-lab/sso"},
			web.Missing{Access: web.AccessSingleSignOn, FixURL: "https://github.com/settings/organizations"},
			web.Missing{Account: "royal-observatory", Access: web.AccessRequested, FixURL: "https://github.com/organizations/royal-observatory/settings/installations"},
			web.Missing{Account: "university-library", Access: web.AccessRefused, FixURL: "https://github.com/orgs/university-library/people"},
			web.Missing{Account: "analytical-society", Access: web.AccessSuspended, FixURL: "https://github.com/organizations/analytical-society/settings/installations/7"}))},
	}
}

func missing(v *web.View, accounts ...web.Missing) *web.View {
	v.Connection.Missing, v.Connection.FixURL = accounts, accounts[0].FixURL
	return v
}

func asked(v *web.View) *web.View {
	v.RequestSent = true
	return v
}

// Many are 500 repositories in 5 installations.
func Many() []web.Repository {
	owners := []string{"ada-lovelace", "analytical-society", "babbage-lab", "royal-observatory", "university-library"}
	var all []web.Repository
	for _, owner := range owners {
		for i := range 100 {
			all = append(all, web.Repository{FullName: fmt.Sprintf("%s/dataset-of-%d-%03d", owner, 1815+i%37, i), Push: i%5 != 0})
		}
	}
	return all
}

func (b builder) others() []Sample {
	return []Sample{
		{Name: "unavailable", Says: "the Hub does not answer", View: b.with(web.Unavailable, func(v *web.View) {
			v.Problem = &web.Problem{Code: apierror.CodeHubUnavailable, Message: "The Hub does not answer at the moment.", Hint: "Nothing is lost; the service retries."}
		})},
		{Name: "error", Says: "an error of the service", Write: func(p *web.Pages, w io.Writer, lang string) error {
			return p.Error(w, lang, web.ErrorView{User: "ada", Status: 503, Retry: 30 * time.Second, Reference: "7f3a91c2", Problem: web.Problem{Code: apierror.CodeStoreUnavailable, Message: "The store of this service does not answer at the moment.", Hint: "Try again in a moment."}})
		}},
		{Name: "confirm", Says: "back from GitHub, the two names are to be confirmed", Write: func(p *web.Pages, w io.Writer, lang string) error {
			return p.Confirm(w, lang, web.ConfirmView{CSRF: CSRF, User: "ada", Login: "ada-lovelace", Confirmation: "a-token-of-this-page", Now: b.now, ExpiresAt: b.now.Add(10 * time.Minute)})
		}},
		{Name: "cookies", Says: "another page has set cookies beside ours", Write: func(p *web.Pages, w io.Writer, lang string) error {
			return p.Error(w, lang, web.ErrorView{Status: 401, SignIn: true, Reference: "7f3a91c2", Problem: web.Problem{Code: apierror.CodeAmbiguousCookies,
				Message: "Your browser sent cookies that do not belong together, so this service cannot tell whose session this is. Nothing was done.",
				Hint: "Open “Connect GitHub” again and sign in; the cookies have been deleted. Another page or somebody's server at this address can set such cookies: " +
					"if you followed a link just before, do not follow it again. If this keeps happening, delete this site's cookies in your browser and tell your Hub's administrators."}})
		}},
		{Name: "admin", Says: "the admin's page", Write: b.admin},
		{Name: "admin-empty", Says: "the admin's page, nobody connected", Write: func(p *web.Pages, w io.Writer, lang string) error {
			return p.Admin(w, lang, web.AdminView{CSRF: CSRF, User: "grace", Now: b.now})
		}},
		{Name: "bots", Says: "what bots may do, and did", Write: b.bots},
		{Name: "bots-stale", Says: "the same for one owner; the policy's file has a mistake", Write: b.botsStale},
		{Name: "bots-empty", Says: "bots get nothing, and nothing has happened", Write: func(p *web.Pages, w io.Writer, lang string) error {
			return p.Bots(w, lang, web.BotsView{User: "grace", Now: b.now, Policy: web.PolicyEmpty,
				Problem: "the bot policy /etc/ghscoped/policy.yaml: the policy is empty"})
		}},
		{Name: "bots-off", Says: "there are no bots", Write: func(p *web.Pages, w io.Writer, lang string) error {
			return p.Bots(w, lang, web.BotsView{User: "grace", Now: b.now, Policy: web.PolicyOff, Since: b.now.Add(-9 * 24 * time.Hour),
				People: web.People{Connected: 12, Begun: 211, Made: 190, Ended: 178, Revoked: 180}})
		}},
		{Name: "hostile", Says: "names that try to be markup, to turn the text around and to break the layout", View: b.hostile()},
		{Name: "hostile-failed", Says: "an error text of that kind", View: b.with(web.Failed, func(v *web.View) {
			v.User = Hostile
			v.Flow = &web.Flow{Problem: &web.Problem{Code: Hostile, Message: Hostile, Hint: Hostile + Long}}
		})},
		{Name: "hostile-confirm", Says: "the page that asks for a click, with such names", Write: func(p *web.Pages, w io.Writer, lang string) error {
			return p.Confirm(w, lang, web.ConfirmView{CSRF: CSRF, User: Hostile, Login: Hostile + Long, Confirmation: Hostile, Now: b.now, ExpiresAt: b.now.Add(10 * time.Minute)})
		}},
		{Name: "hostile-bots", Says: "the page about bots with such names", Write: func(p *web.Pages, w io.Writer, lang string) error {
			return p.Bots(w, lang, web.BotsView{
				User: Hostile, Now: b.now, Owner: Hostile, Owners: []string{Hostile, Long}, Policy: web.PolicyStale, Problem: Hostile + Long,
				Rules: []web.BotRule{{Name: Hostile, Reason: Hostile + Long, Callers: []string{Hostile, Long}, Where: []web.BotCondition{{Claim: Hostile, Texts: []string{Hostile, Long}}},
					Repositories: []string{Hostile + "/*", Long + "/" + Long}, Except: []string{Hostile + "/" + Long}, Permissions: []string{Hostile}}},
				Since: b.now, Uses: []web.BotUse{{Caller: Hostile, Rule: Hostile, Repository: Long, Permissions: []string{Hostile}, Last: b.now}},
			})
		}},
		{Name: "hostile-admin", Says: "the admin's page with such names", Write: func(p *web.Pages, w io.Writer, lang string) error {
			return p.Admin(w, lang, web.AdminView{
				CSRF: CSRF, User: Hostile, Now: b.now,
				Connections: []web.AdminConnection{{User: Hostile, Login: Long, Since: b.now, ExpiresAt: b.now.Add(time.Hour), Servers: b.hostile().Servers}},
				Bound:       []web.AdminBound{{User: Hostile, ID: 1, Login: Long}},
				Bots:        []web.AdminBot{{ID: Hostile, Caller: Hostile, Rule: Hostile, Repositories: []string{Hostile + "/" + Long}, Since: b.now, ExpiresAt: b.now}},
				Events: []web.AdminEvent{{Time: b.now, Action: Hostile, User: Hostile, Account: Hostile, Server: Long, Outcome: Hostile, Code: Hostile,
					Reason: Hostile, Why: Long, Rule: Long, Repositories: []string{Long, Hostile}, Permissions: []string{Hostile}, By: Hostile}},
			})
		}},
	}
}

func (b builder) admin(p *web.Pages, w io.Writer, lang string) error {
	v := web.AdminView{CSRF: CSRF, User: "grace", Now: b.now}
	for i, user := range []string{"ada", "mary", "émilie"} {
		v.Connections = append(v.Connections, web.AdminConnection{
			User: user, Login: user + "-at-work", Since: b.now.Add(-time.Duration(i+1) * time.Hour),
			ExpiresAt: b.now.Add(time.Duration(7-i) * time.Hour), Servers: []web.Server{b.server("", web.ServerDelivered, true)},
		})
	}
	v.Bound = []web.AdminBound{{User: "ada", ID: 583231, Login: "ada-at-work"}, {User: "zoe", ID: 9919}}
	v.Bots = []web.AdminBot{{ID: strings.Repeat("5e", 32), Caller: "service:nbbot", Rule: "nightly",
		Repositories: []string{"octo-org/handbook", "octo-org/shared"}, Since: b.now.Add(-20 * time.Minute), ExpiresAt: b.now.Add(40 * time.Minute)}}
	for i, event := range []web.AdminEvent{
		{Action: "flow_finished", Account: "ada-lovelace", Outcome: "connected"},
		{Action: "delivered", Account: "ada-lovelace", Outcome: "ok"},
		{Action: "flow_started", Outcome: "ok"},
		{Action: "revoked", Outcome: "ok", Reason: "disconnect"},
		{Action: "disconnected", Account: "ada-lovelace", Outcome: "ok", Reason: "disconnect"},
	} {
		event.Time, event.User = b.now.Add(-time.Duration(i)*40*time.Second), "ada"
		v.Events = append(v.Events, event)
	}
	v.Events = append(v.Events,
		web.AdminEvent{Time: b.now.Add(-3 * time.Minute), Action: "bot_token_issue", User: "service:nbbot", Outcome: "issued", Rule: "nightly",
			Repositories: []string{"octo-org/grades"}, Permissions: []string{"contents:write", "pull_requests:write"}, Reason: "publishes the grades"},
		web.AdminEvent{Time: b.now.Add(-4 * time.Minute), Action: "bot_token_issue", User: "service:nbbot", Outcome: "refused", Code: apierror.CodeBotRefused,
			Repositories: []string{"octo-org/exams"}, Permissions: []string{"contents:write"}, Why: "No rule lets service:nbbot reach octo-org/exams."})
	return p.Admin(w, lang, v)
}

func (b builder) botsView() web.BotsView {
	at := func(hours int) time.Time { return b.now.Add(-time.Duration(hours) * time.Hour) }
	return web.BotsView{
		User: "grace", Now: b.now, Owners: []string{"octo-org", "university-library"}, Policy: web.PolicyInForce, RepositoryFile: true,
		Rules: []web.BotRule{
			{Name: "nightly", Reason: "The nightly job refreshes the course material.", Callers: []string{"service:nbbot"},
				Repositories: []string{"octo-org/course", "octo-org/handbook"}, Permissions: []string{"contents:write", "pull_requests:write"}},
			{Name: "bump-images", Reason: "A scheduled workflow opens pull requests with new images.", Callers: []string{"actions:octo-org/deploy"},
				Where: []web.BotCondition{{Claim: "event_name", Texts: []string{"schedule", "workflow_dispatch"}}, {Claim: "ref", Texts: []string{"refs/heads/main"}},
					{Claim: "repository_id", Texts: []string{"1296269"}}, {Claim: "repository_owner_id", Texts: []string{"583231"}}},
				Repositories: []string{"octo-org/deploy"}, Permissions: []string{"contents:write", "pull_requests:write"}},
			{Name: "mirrors", Reason: "Each mirror reads the organisation, but for what is secret.", Callers: []string{"service:mirror-*", "kubernetes:mirror/fetch"},
				Repositories: []string{"octo-org/*"}, Except: []string{"octo-org/exams", "octo-org/grades"}, Permissions: []string{"contents:read"}, Reuse: 30},
			{Name: "teachers", Reason: "People who teach label and close issues from a notebook.", Callers: []string{"group:teachers"},
				Repositories: []string{"university-library/course"}, Permissions: []string{"issues:write"}},
		},
		Since: at(30*24 - 5),
		Uses: []web.BotUse{
			{Rule: "teachers", Repository: "university-library/course", Permissions: []string{"issues:write"}, Given: 14, Last: at(7)},
			{Caller: "actions:octo-org/deploy", Rule: "bump-images", Repository: "octo-org/deploy", Permissions: []string{"contents:write", "pull_requests:write"}, Given: 29, Failed: 1, Revoked: 2, Last: at(5)},
			{Caller: "service:mirror-eu", Rule: "mirrors", Repository: "octo-org/handbook", Permissions: []string{"contents:read"}, Given: 188, Last: at(1), AtLeast: true},
			{Caller: "service:nbbot", Rule: "nightly", Repository: "octo-org/course", Permissions: []string{"contents:write"}, Given: 30, Revoked: 30, Last: at(6)},
			{Caller: "service:mirror-eu", Repository: "octo-org/exams", Permissions: []string{"contents:read"}, Refused: 12, Last: at(40), AtLeast: true},
			{Caller: "unidentified", Refused: 3, Last: at(300)},
		},
		People: web.People{Connected: 41, Begun: 620, Made: 587, Ended: 546, Revoked: 549, Mismatches: 1},
	}
}

func (b builder) bots(p *web.Pages, w io.Writer, lang string) error {
	return p.Bots(w, lang, b.botsView())
}

func (b builder) botsStale(p *web.Pages, w io.Writer, lang string) error {
	v := b.botsView()
	v.Owner, v.Policy, v.People.Reaching = "university-library", web.PolicyStale, 7
	v.Problem = "the bot policy /etc/ghscoped/policy.yaml: line 9: the key \"reason\" stands twice, first in line 8"
	v.Rules, v.Uses = v.Rules[3:], v.Uses[:1]
	return p.Bots(w, lang, v)
}

// Hostile is a name that is markup, an attribute's end, a template, and turns
// the direction of what follows.
const Hostile = `"><script>window.pwned=1</script><img src=x onerror=window.pwned=1>'{{.CSRF}}` + "\u202e\u200fgnp.exe\u2066"

// Long is a name without a place to break it.
var Long = strings.Repeat("W", 10_000)

func (b builder) hostile() *web.View {
	v := b.connected(web.AccessReady, []web.Repository{
		{FullName: Hostile + "/" + Hostile, Push: true}, {FullName: Long + "/" + Long, Push: true},
		{FullName: "no-slash"}, {FullName: "مستخدم/مستودع", Push: true},
	})
	v.User = Hostile + Long
	v.Connection.Login = Hostile + Long
	v.Servers = []web.Server{b.server(Hostile, web.ServerFailed, true), b.server(Long, web.ServerStarting, false), b.server("x y+z$&'", web.ServerDelivered, true)}
	v.Servers[0].URL = "javascript:window.pwned=1"
	v.Servers[0].Method = Hostile
	v.Servers[0].Problem = &web.Problem{Code: Hostile, Message: Hostile + Long, Hint: Hostile}
	v.Servers[1].Progress = Hostile + Long
	v.Servers[2].Shared = []string{Hostile, Long}
	name := Hostile
	v.Asking, v.Connection.Program = &name, &name
	return v
}
