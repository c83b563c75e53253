package server

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/bot"
	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/hubauth"
	"github.com/ghscoped/ghscoped-service/web"
)

const (
	// maxRequest bounds a request's body, in bytes.
	maxRequest = 64 << 10
	// retryLater is what Retry-After says where nobody named a time.
	retryLater = 5 * time.Second
)

// CodeAmbiguousCookies is the code of a [hubauth.CookiesError].
const CodeAmbiguousCookies = "ambiguous_cookies"

// fault is an error as it is shown: a status with a code, a message and a hint.
type fault struct {
	status int
	shown  flow.Error
}

func (f *fault) Error() string { return f.shown.Code }

func refuse(status int, code, message, hint string) *fault {
	return &fault{status, flow.Error{Code: code, Message: message, Hint: hint}}
}

var (
	errNotFound  = refuse(http.StatusNotFound, "not_found", "There is nothing at this address.", "Go back to the page “Connect GitHub”.")
	errMethod    = refuse(http.StatusMethodNotAllowed, "method_not_allowed", "This address does not take that method.", "See api/openapi.yaml for what it takes.")
	errCSRF      = refuse(http.StatusForbidden, "csrf", "The request did not carry the page's own token.", "Load the page again and repeat what you did.")
	errOrigin    = refuse(http.StatusForbidden, "origin", "The request did not come from this service's own page.", "Open “Connect GitHub” from the Hub's Services menu.")
	errNoPage    = refuse(http.StatusForbidden, "no_page", "GitHub sends a person's browser to this address, and no script or frame.", "Open “Connect GitHub” from the Hub's Services menu.")
	errBadToken  = refuse(http.StatusUnauthorized, "bad_token", "The Hub does not know this token.", "Use a current token of this Hub; a restarted server has a new one.")
	errUsersOnly = refuse(http.StatusForbidden, "users_only", "Only a Hub user's token is of use here.", "Services ask for bot tokens instead.")
	errTokenOnly = refuse(http.StatusForbidden, "token_only", "This address answers to a Hub token only, never to a browser's session.",
		"Call it from a server with its JUPYTERHUB_API_TOKEN.")
	errManyStreams = refuse(http.StatusTooManyRequests, "too_many_streams", "Too many event streams are open.",
		"Close pages of yours that you do not need, or ask GET api/flows/current every few seconds instead.")
	errOwnTokenOnly = refuse(http.StatusUnauthorized, "own_token_only", "This address answers to the service's own Hub token only.",
		"Run ghscoped-service user end NAME with the service's settings.")
	errStopping  = refuse(http.StatusServiceUnavailable, "stopping", "The service is being restarted.", "Repeat what you did in a moment; whether it was done, the page says.")
	errBody      = refuse(http.StatusBadRequest, "bad_request", "The request's body is not what this address takes.", "See api/openapi.yaml for its form.")
	errTooLarge  = refuse(http.StatusRequestEntityTooLarge, "too_large", "The request's body is larger than this address takes.", "See api/openapi.yaml for its form.")
	errNoFlow    = refuse(http.StatusNotFound, flow.CodeNoFlow, "There is no flow.", "POST api/flows starts one.")
	errSignedOut = refuse(http.StatusUnauthorized, "signed_out", "You are not signed in here (any more).", "Load the page again; the Hub signs you in.")
	errCookies   = refuse(http.StatusUnauthorized, CodeAmbiguousCookies,
		"Your browser sent cookies that do not belong together, so this service cannot tell whose session this is. Nothing was done.",
		"Open “Connect GitHub” again and sign in; the cookies have been deleted. Another page or somebody's server at this address can set such cookies: "+
			"if you followed a link just before, do not follow it again. If this keeps happening, delete this site's cookies in your browser and tell your Hub's administrators.")
	errNoAccess = refuse(http.StatusForbidden, "no_access", "This token does not allow access to this service.",
		"An admin of the Hub must add access:services!service=… to the role that the token comes from.")
	errNoMetrics = refuse(http.StatusForbidden, "no_access", "This token may not read metrics.",
		"An admin of the Hub must add read:metrics to the role that the token comes from.")
	errLoginState = refuse(http.StatusForbidden, "login_state", "This sign-in was not begun in this browser, or it took too long.",
		"Open “Connect GitHub” from the Hub's Services menu again. Cookies must be allowed.")
	errHubRefused = refuse(http.StatusBadGateway, "hub_refused", "The Hub refused what this service asked for.", "Tell the people who run this Hub.")
	errInternal   = refuse(http.StatusInternalServerError, "internal", "Something went wrong inside the service.",
		"Try again; if it goes on, tell the people who run this Hub.")
)

// errorAnswer is a fault as a program gets it.
type errorAnswer struct {
	Error flow.Error `json:"error"`
}

// handlerFunc is a handler that leaves failing to the one place below.
type handlerFunc func(w http.ResponseWriter, r *http.Request) error

// handle calls a handler and renders its error: JSON below api/, else a page.
func (s *Server) handle(next handlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := next(w, r)
		if err == nil {
			return
		}
		if callerLeft(r.Context()) {
			s.Logger.Debug("the caller left", "request_id", requestID(r), "path", loggedPath(r), "error", err)
			w.WriteHeader(statusCallerLeft) // for the log and the metrics
			return
		}
		if twice, ok := errors.AsType[*hubauth.CookiesError](err); ok && hubauth.Navigation(r) {
			s.Auth.Expire(w, r, twice) // so that the next click goes well
		}
		f := asFault(err)
		if f.status >= 500 {
			s.Logger.Error("request failed", "request_id", requestID(r),
				"method", r.Method, "path", loggedPath(r), "code", f.shown.Code, "error", err)
		}
		s.renderFault(w, r, f)
	}
}

// statusCallerLeft is what proxies note for a request that nobody waits for any
// more (nginx, Traefik). RFC 9110 has no status for it, since none is sent.
const statusCallerLeft = 499

// callerLeft reports whether nobody reads the answer any more. That net/http
// ends a request's context with, whereas the end of the service has a cause of
// its own, and an answer: without one the caller would read 200.
func callerLeft(ctx context.Context) bool { return context.Cause(ctx) == context.Canceled }

func (s *Server) renderFault(w http.ResponseWriter, r *http.Request, f *fault) {
	if f.status == http.StatusServiceUnavailable || f.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", seconds(max(f.shown.RetryAfter, retryLater)))
	}
	if f.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer") // RFC 9110, 15.5.2
	}
	if strings.HasPrefix(r.URL.Path, s.Prefix+"api/") {
		writeJSON(w, f.status, errorAnswer{f.shown})
		return
	}
	view := web.ErrorView{Status: f.status, Reference: requestID(r), Problem: *problem(&f.shown)}
	view.SignIn = f.shown.Code == CodeAmbiguousCookies
	if f.status == http.StatusServiceUnavailable {
		view.Retry = max(f.shown.RetryAfter, retryLater)
	}
	s.writeHTML(w, r, f.status, func(lang string, out *page) error { return s.Pages.Error(out, lang, view) })
}

// seconds is a time as Retry-After says it, in whole seconds, rounded up.
func seconds(d time.Duration) string { return strconv.Itoa(int(math.Ceil(d.Seconds()))) }

// statuses are those of errors of the engine and of the bots that are no server
// fault.
var statuses = map[string]int{
	flow.CodeNoFlow:       http.StatusNotFound,
	flow.CodeNotConnected: http.StatusNotFound,

	flow.CodeRepositoryUnnamed:   http.StatusBadRequest,
	flow.CodeRepositoryNotChosen: http.StatusForbidden,
	flow.CodeManyTokens:          http.StatusTooManyRequests,

	bot.CodeTooManyRefusals:  http.StatusTooManyRequests,
	"bot_refused":            http.StatusForbidden,
	"repository_refused":     http.StatusForbidden,
	"not_installed":          http.StatusUnprocessableEntity,
	"not_granted":            http.StatusUnprocessableEntity,
	"installation_suspended": http.StatusUnprocessableEntity,
	flow.CodeTokenUnknown:    http.StatusNotFound,
	flow.CodeNoWebFlow:       http.StatusNotFound,
	flow.CodeWebState:        http.StatusForbidden,
	flow.CodeNotThisPage:     http.StatusForbidden,
	flow.CodeFlowUnderWay:    http.StatusConflict,
	flow.CodeManyServers:     http.StatusBadRequest,
	flow.CodeServerName:      http.StatusBadRequest,
	flow.CodeTooManyCodes:    http.StatusTooManyRequests,
	flow.CodeFormerOwner:     http.StatusUnauthorized,
	flow.CodeScopeMissing:    http.StatusForbidden,
	flow.CodeNoRecord:        http.StatusNotFound,
	flow.CodeServerTokenOnly: http.StatusForbidden,
	flow.CodeServerNotChosen: http.StatusForbidden,
	flow.CodeServersNamed:    http.StatusForbidden,
	flow.CodeNotBegunHere:    http.StatusForbidden,
}

// tooLarge reports whether a body was cut off at its limit.
func tooLarge(err error) bool {
	_, cut := errors.AsType[*http.MaxBytesError](err)
	return cut
}

// asFault says what a caller is told about an error.
func asFault(err error) *fault {
	if shown, ok := errors.AsType[*fault](err); ok {
		return shown
	}
	if known, ok := errors.AsType[*flow.Error](err); ok {
		return &fault{statusOf(known), *known}
	}
	if unavailable, ok := errors.AsType[*hub.UnavailableError](err); ok {
		f := refuse(http.StatusServiceUnavailable, "hub_unavailable", "The Hub does not answer at the moment.",
			"Nothing is lost. The page tries again by itself.")
		f.shown.RetryAfter = unavailable.RetryAfter
		return f
	}
	if denied, ok := errors.AsType[*hubauth.DeniedError](err); ok {
		return loginFault(denied)
	}
	if _, ok := errors.AsType[*hubauth.CookiesError](err); ok {
		return errCookies
	}
	for _, told := range faults {
		if errors.Is(err, told.cause) {
			return told.fault
		}
	}
	return errInternal
}

// faults is what callers are told about errors that say no more than what they
// are.
var faults = []struct {
	cause error
	fault *fault
}{
	{hubauth.ErrSignedOut, errSignedOut},
	{hubauth.ErrNoAccess, errNoAccess},
	{hubauth.ErrLoginState, errLoginState},
	{context.Canceled, errStopping},
	{hub.ErrUnauthorized, errHubRefused},
	{hub.ErrForbidden, errHubRefused},
}

// loginFault tells a person who declined from a Hub that is set up otherwise
// than the service (RFC 6749, 4.1.2.1 and 5.2), which only an admin can mend.
func loginFault(denied *hubauth.DeniedError) *fault {
	switch denied.Code {
	case "access_denied":
		return refuse(http.StatusForbidden, "login_denied", "The Hub ended the sign-in.", "Open the page again to start anew; if it goes on, tell the people who run this Hub.")
	case "invalid_scope":
		return refuse(http.StatusBadGateway, "login_scopes", "The Hub does not allow all that this service asks for when you sign in.",
			"Tell the people who run this Hub: oauth_client_allowed_scopes there and GHSCOPED_HUB_ALLOWED_SCOPES here must name the same scopes.")
	case "invalid_client", "unauthorized_client":
		return refuse(http.StatusBadGateway, "login_client", "The Hub does not know this service by its token.",
			"Tell the people who run this Hub: the service's token there (api_token) and here must be the same; “ghscoped-service doctor” looks at it.")
	}
	return refuse(http.StatusBadGateway, "login_refused", "The Hub refused the sign-in.", "Open the page again to start anew; if it goes on, tell the people who run this Hub.")
}

func statusOf(e *flow.Error) int {
	if status, known := statuses[e.Code]; known {
		return status
	}
	if bot.Invalid(e.Code) {
		return http.StatusBadRequest
	}
	if e.Passing {
		return http.StatusServiceUnavailable
	}
	return http.StatusBadGateway
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the caller is gone: nothing to be done
}
