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

	"github.com/ghscoped/ghscoped-service/internal/apierror"
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

func refuse(code, message, hint string) *apierror.Error {
	return &apierror.Error{Code: code, Message: message, Hint: hint}
}

var (
	errNotFound  = refuse(apierror.CodeNotFound, "There is nothing at this address.", "Go back to the page “Connect GitHub”.")
	errMethod    = refuse(apierror.CodeMethodNotAllowed, "This address does not take that method.", "See api/openapi.yaml for what it takes.")
	errCSRF      = refuse(apierror.CodeCSRF, "The request did not carry the page's own token.", "Load the page again and repeat what you did.")
	errOrigin    = refuse(apierror.CodeOrigin, "The request did not come from this service's own page.", "Open “Connect GitHub” from the Hub's Services menu.")
	errNoPage    = refuse(apierror.CodeNoPage, "GitHub sends a person's browser to this address, and no script or frame.", "Open “Connect GitHub” from the Hub's Services menu.")
	errBadToken  = refuse(apierror.CodeBadToken, "The Hub does not know this token.", "Use a current token of this Hub; a restarted server has a new one.")
	errUsersOnly = refuse(apierror.CodeUsersOnly, "Only a Hub user's token is of use here.", "Services ask for bot tokens instead.")
	errTokenOnly = refuse(apierror.CodeTokenOnly, "This address answers to a token only, never to a browser's session.",
		"Call it from a server with its JUPYTERHUB_API_TOKEN.")
	errManyStreams = refuse(apierror.CodeManyStreams, "Too many event streams are open.",
		"Close pages of yours that you do not need, or ask GET api/flows/current every few seconds instead.")
	errOwnTokenOnly = refuse(apierror.CodeOwnTokenOnly, "This address answers to the service's own Hub token only.",
		"Run ghscoped-service user end NAME with the service's settings.")
	errStopping  = refuse(apierror.CodeStopping, "The service is being restarted.", "Repeat what you did in a moment; whether it was done, the page says.")
	errBody      = refuse(apierror.CodeBadRequest, "The request's body is not what this address takes.", "See api/openapi.yaml for its form.")
	errTooLarge  = refuse(apierror.CodeTooLarge, "The request's body is larger than this address takes.", "See api/openapi.yaml for its form.")
	errNoFlow    = refuse(apierror.CodeNoFlow, "There is no flow.", "POST api/flows starts one.")
	errSignedOut = refuse(apierror.CodeSignedOut, "You are not signed in here (any more).", "Open “Connect GitHub” again; the Hub signs you in.")
	errCookies   = refuse(apierror.CodeAmbiguousCookies,
		"Your browser sent cookies that do not belong together, so this service cannot tell whose session this is. Nothing was done.",
		"Open “Connect GitHub” again and sign in; the cookies have been deleted. Another page or somebody's server at this address can set such cookies: "+
			"if you followed a link just before, do not follow it again. If this keeps happening, delete this site's cookies in your browser and tell your Hub's administrators.")
	errNoAccess = refuse(apierror.CodeNoAccess, "This token does not allow access to this service.",
		"An administrator of the Hub must add access:services!service=… to the role that the token comes from.")
	errNoMetrics = refuse(apierror.CodeNoAccess, "This token may not read metrics.",
		"An administrator of the Hub must add read:metrics to the role that the token comes from.")
	errLoginState = refuse(apierror.CodeLoginState, "This sign-in was not begun in this browser, or it took too long.",
		"Open “Connect GitHub” from the Hub's Services menu again. Cookies must be allowed.")
	errHubRefused = refuse(apierror.CodeHubRefused, "The Hub refused what this service asked for.", "Contact your Hub's administrators.")
	errInternal   = apierror.Internal(nil)
)

// errorAnswer is an error as a program gets it.
type errorAnswer struct {
	Error *apierror.Error `json:"error"`
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
			s.logger.Debug("the caller left", "request_id", requestID(r), "path", loggedPath(r), "error", err)
			w.WriteHeader(statusCallerLeft) // for the log and the metrics
			return
		}
		if twice, ok := errors.AsType[*hubauth.CookiesError](err); ok && hubauth.Navigation(r) {
			s.auth.Expire(w, r, twice) // so that the next click goes well
		}
		shown := asError(err)
		if shown.Status() >= 500 {
			s.logger.Error("request failed", "request_id", requestID(r),
				"method", r.Method, "path", loggedPath(r), "code", shown.Code, "error", err)
		}
		s.renderError(w, r, shown)
	}
}

// statusCallerLeft is what proxies note for a request that nobody waits for any
// more (nginx, Traefik). RFC 9110 has no status for it, since none is sent.
const statusCallerLeft = 499

// callerLeft reports whether nobody reads the answer any more. That net/http
// ends a request's context with, whereas the end of the service has a cause of
// its own, and an answer: without one the caller would read 200.
func callerLeft(ctx context.Context) bool { return context.Cause(ctx) == context.Canceled }

func (s *Server) renderError(w http.ResponseWriter, r *http.Request, shown *apierror.Error) {
	status := shown.Status()
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", seconds(max(shown.RetryAfter, retryLater)))
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer") // RFC 9110, 15.5.2
	}
	if strings.HasPrefix(r.URL.Path, s.prefix+"api/") {
		writeJSON(w, status, errorAnswer{shown})
		return
	}
	view := web.ErrorView{Status: status, Reference: requestID(r), Problem: *problem(shown)}
	view.SignIn = status == http.StatusUnauthorized
	if status == http.StatusServiceUnavailable {
		view.Retry = max(shown.RetryAfter, retryLater)
	}
	s.writeHTML(w, r, status, func(lang string, out *page) error { return s.pages.Error(out, lang, view) })
}

// seconds is a time as Retry-After says it, in whole seconds, rounded up.
func seconds(d time.Duration) string { return strconv.Itoa(int(math.Ceil(d.Seconds()))) }

// tooLarge reports whether a body was cut off at its limit.
func tooLarge(err error) bool {
	_, cut := errors.AsType[*http.MaxBytesError](err)
	return cut
}

// asError is what a caller is told about an error.
func asError(err error) *apierror.Error {
	if known, ok := errors.AsType[*apierror.Error](err); ok {
		return known
	}
	if unavailable, ok := errors.AsType[*hub.UnavailableError](err); ok {
		return &apierror.Error{Code: apierror.CodeHubUnavailable, Message: "The Hub does not answer at the moment.",
			Hint: "Nothing is lost. The page retries automatically.", Retryable: true, RetryAfter: unavailable.RetryAfter}
	}
	if denied, ok := errors.AsType[*hubauth.DeniedError](err); ok {
		return loginError(denied)
	}
	if _, ok := errors.AsType[*hubauth.CookiesError](err); ok {
		return errCookies
	}
	for _, known := range knownErrors {
		if errors.Is(err, known.cause) {
			return known.shown
		}
	}
	return errInternal
}

// knownErrors is what callers are told about errors that say no more than what they
// are.
var knownErrors = []struct {
	cause error
	shown *apierror.Error
}{
	{hubauth.ErrSignedOut, errSignedOut},
	{hubauth.ErrNoAccess, errNoAccess},
	{hubauth.ErrLoginState, errLoginState},
	{context.Canceled, errStopping},
	{hub.ErrUnauthorized, errHubRefused},
	{hub.ErrForbidden, errHubRefused},
}

// loginError tells a person who declined from a Hub that is set up otherwise
// than the service (RFC 6749, 4.1.2.1 and 5.2), which only an admin can fix.
func loginError(denied *hubauth.DeniedError) *apierror.Error {
	switch denied.Code {
	case "access_denied":
		return refuse(apierror.CodeLoginDenied, "The Hub ended the sign-in.", "Open the page again to start over. If this keeps happening, contact your Hub's administrators.")
	case "invalid_scope":
		return refuse(apierror.CodeLoginScopes, "The Hub does not allow all that this service asks for when you sign in.",
			"Contact your Hub's administrators: oauth_client_allowed_scopes there and GHSCOPED_HUB_ALLOWED_SCOPES here must name the same scopes.")
	case "invalid_client", "unauthorized_client":
		return refuse(apierror.CodeLoginClient, "The Hub does not know this service by its token.",
			"Contact your Hub's administrators: the service's token there (api_token) and here must be the same; “ghscoped-service doctor” checks it.")
	}
	return refuse(apierror.CodeLoginRefused, "The Hub refused the sign-in.", "Open the page again to start over. If this keeps happening, contact your Hub's administrators.")
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the caller is gone: nothing to be done
}
