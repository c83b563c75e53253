package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/hubauth"
	"github.com/ghscoped/ghscoped-service/web"
)

func TestAsError(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err    error
		status int
		code   string
		after  time.Duration
	}{
		"one of ours":           {fmt.Errorf("x: %w", errCSRF), 403, "csrf", 0},
		"of the engine":         {&apierror.Error{Code: apierror.CodeNoFlow}, 404, apierror.CodeNoFlow, 0},
		"of a bot's request":    {&apierror.Error{Code: "permission_invalid"}, 400, "permission_invalid", 0},
		"retryable":             {&apierror.Error{Code: "x", Retryable: true, RetryAfter: time.Minute}, 503, "x", time.Minute},
		"of GitHub":             {&apierror.Error{Code: "x"}, 502, "x", 0},
		"of a Hub that is away": {&hub.UnavailableError{Err: errors.New("x"), RetryAfter: time.Minute}, 503, "hub_unavailable", time.Minute},
		"of a login":            {&hubauth.DeniedError{Code: "access_denied"}, 403, "login_denied", 0},
		"of the client's token": {&hubauth.DeniedError{Code: "unauthorized_client"}, 502, "login_client", 0},
		"of cookies":            {&hubauth.CookiesError{}, 401, apierror.CodeAmbiguousCookies, 0},
		"of a session":          {hubauth.ErrSignedOut, 401, "signed_out", 0},
		"of a scope":            {hubauth.ErrNoAccess, 403, "no_access", 0},
		"of a login's state":    {hubauth.ErrLoginState, 403, "login_state", 0},
		"of the service's end":  {context.Canceled, 503, "stopping", 0},
		"of the Hub's refusal":  {hub.ErrForbidden, 502, "hub_refused", 0},
		"of anything else":      {errors.New("x"), 500, "internal", 0},
		"of a deadline of ours": {context.DeadlineExceeded, 500, "internal", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shown := asError(test.err)
			require.Equal(t, test.status, shown.Status())
			require.Equal(t, test.code, shown.Code)
			require.Equal(t, test.after, shown.RetryAfter)
			require.Equal(t, test.after > 0, shown.Retryable)
		})
	}
}

// serverOf is a Server of as much as a test needs.
func serverOf(options Options) *Server {
	options.Registry = prometheus.NewRegistry()
	return New(options)
}

// plainServer renders pages and does nothing else.
func plainServer(t *testing.T, log *bytes.Buffer) *Server {
	t.Helper()
	pages, err := web.New(web.Options{Prefix: "/services/x/", HubPrefix: "/hub/", GitHubHost: "github.com"})
	require.NoError(t, err)
	return serverOf(Options{Prefix: "/services/x/", Pages: pages, Clock: time.Now, Logger: slog.New(slog.NewTextHandler(log, nil))})
}

func TestRenderError(t *testing.T) {
	t.Parallel()
	later := refuse(apierror.CodeStopping, "m", "h")
	later.RetryAfter = 90 * time.Second
	for name, test := range map[string]struct {
		shown         *apierror.Error
		after, scheme string
		body, none    string
	}{
		"away":          {errStopping, "5", "", `http-equiv="refresh" content="5`, `id="sign-in"`},
		"away for long": {later, "90", "", `http-equiv="refresh" content="90`, `id="sign-in"`},
		"too often":     {errManyStreams, "5", "", "too_many_streams", `http-equiv="refresh"`},
		"signed out":    {errSignedOut, "", "Bearer", "signed_out", `http-equiv="refresh"`},
		"cookies":       {errCookies, "", "Bearer", `id="sign-in"`, `id="home"`},
		"not found":     {errNotFound, "", "", "not_found", `http-equiv="refresh"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := plainServer(t, &bytes.Buffer{})
			for path, kind := range map[string]string{"/services/x/api/y": "application/json", "/services/x/y": "text/html; charset=utf-8"} {
				w := httptest.NewRecorder()
				s.renderError(w, httptest.NewRequest(http.MethodGet, path, nil), test.shown)
				require.Equal(t, test.shown.Status(), w.Code)
				require.Equal(t, kind, w.Header().Get("Content-Type"))
				require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
				require.Equal(t, test.after, w.Header().Get("Retry-After"))
				require.Equal(t, test.scheme, w.Header().Get("WWW-Authenticate"))
				if kind != "application/json" {
					require.Contains(t, w.Body.String(), test.body)
					require.NotContains(t, w.Body.String(), test.none)
				}
			}
		})
	}
}

func TestWriteHTMLLeavesNoHalfAPage(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	w := httptest.NewRecorder()
	plainServer(t, &log).writeHTML(w, httptest.NewRequest(http.MethodGet, "/services/x/", nil), http.StatusOK, func(_ string, out *page) error {
		out.WriteString("half")
		return errors.New("a mistake in a template")
	})
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.NotContains(t, w.Body.String(), "half")
	require.Contains(t, log.String(), "a mistake in a template")
}

func TestIsOurs(t *testing.T) {
	t.Parallel()
	public, _ := url.Parse("https://hub.example/services/x/")
	for name, test := range map[string]struct {
		public *url.URL
		origin string
		want   bool
	}{
		"the public one":                  {public, "https://hub.example", true},
		"in capitals":                     {public, "https://HUB.example", true},
		"another scheme":                  {public, "http://hub.example", false},
		"another port":                    {public, "https://hub.example:8443", false},
		"the host, where it is public":    {public, "https://inner.example", false},
		"the host":                        {nil, "http://inner.example", true},
		"the host in capitals":            {nil, "http://INNER.example", true},
		"a port that goes without saying": {&url.URL{Scheme: "https", Host: "hub.example:443"}, "https://hub.example", true},
		"another host":                    {nil, "http://hub.example", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			origin, err := url.Parse(test.origin)
			require.NoError(t, err)
			require.Equal(t, test.want, serverOf(Options{PublicURL: test.public}).isOurs(origin, "inner.example"))
		})
	}
}

func TestGitHubCallbackURL(t *testing.T) {
	t.Parallel()
	public, _ := url.Parse("https://hub.example/services/x/")
	require.Equal(t, "https://hub.example/services/x/github_callback", serverOf(Options{PublicURL: public}).gitHubCallbackURL())
	require.Empty(t, serverOf(Options{}).gitHubCallbackURL())
}

// The code is of no use after the approval, and is shown no longer.
func TestAnswerFlowShowsTheCodeWhileItIsPending(t *testing.T) {
	t.Parallel()
	for _, state := range []flow.State{flow.Pending, flow.Connected, flow.Denied} {
		s := serverOf(Options{WebFlow: state == flow.Pending})
		answer := s.answerFlow(&flow.Flow{State: state, UserCode: "WDJB-MJHT", VerificationURI: "x"}, flow.Caller{User: "ada"})
		require.Equal(t, state == flow.Pending, answer.Web, state)
		require.Equal(t, state == flow.Pending, answer.UserCode != "", state)
		require.Equal(t, state == flow.Pending, answer.VerificationURI != "", state)
	}
}

func TestFromOurPage(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		host, origin, site string
		want               error
	}{
		"our page":                        {"hub.example", "http://hub.example", "", nil},
		"our page, says the browser":      {"hub.example", "http://hub.example", "same-origin", nil},
		"a sibling, says the browser":     {"hub.example", "http://hub.example", "same-site", errOrigin},
		"another page":                    {"hub.example", "http://evil.example", "", errOrigin},
		"none":                            {"hub.example", "", "", errOrigin},
		"none, without a host (HTTP/1.0)": {"", "", "", errOrigin},
		"null, without a host (HTTP/1.0)": {"", "null", "", errOrigin},
		"what is no address":              {"hub.example", "http://%zz", "", errOrigin},
		"what is no address, and no host": {"", "http://%zz", "", errOrigin},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodPost, "/", nil)
			r.Host = test.host
			for header, value := range map[string]string{"Origin": test.origin, "Sec-Fetch-Site": test.site} {
				if value != "" {
					r.Header.Set(header, value)
				}
			}
			err := (&Server{}).fromOurPage(r)
			if test.want == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, test.want)
		})
	}
}
