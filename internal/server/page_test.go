package server_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/server"
)

// staff makes grace an admin and signs her in.
func (f *fixture) staff() *browser {
	f.hubUser["hub-grace"] = hub.User{Kind: "user", Name: "grace", Created: created, Scopes: []string{access, adminScope}}
	return f.signIn("grace")
}

// send posts a form with headers of its own; a value of "" leaves one out.
func (b *browser) send(path string, form url.Values, headers map[string]string) *http.Response {
	all := map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Origin": b.origin()}
	for name, value := range headers {
		if all[name] = value; value == "" {
			delete(all, name)
		}
	}
	return b.do(http.MethodPost, path, strings.NewReader(form.Encode()), all)
}

func TestAdminPageCarriesTheCSRFTokenInADocumentOnly(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	grace := f.staff()
	for name, headers := range map[string]map[string]string{
		"fetched by a script": {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
		"of the same origin":  {"Sec-Fetch-Mode": "same-origin", "Sec-Fetch-Dest": "empty"},
		"in a frame":          {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
	} {
		response := grace.do(http.MethodGet, "admin", nil, headers)
		require.Equal(t, http.StatusOK, response.StatusCode, name)
		require.NotContains(t, read(t, response), grace.csrf, name)
	}
	require.Contains(t, read(t, grace.do(http.MethodGet, "admin", nil,
		map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"})), grace.csrf)
}

func TestOriginIsComparedWithItsScheme(t *testing.T) {
	t.Parallel()
	f := setUp(t, func(_ *fixture, o *server.Options) {
		o.PublicURL = &url.URL{Scheme: "https", Host: "hub.example", Path: prefix}
	})
	ada := f.signIn("ada")
	for origin, ours := range map[string]bool{
		"https://hub.example":      true,
		"https://HUB.example":      true,
		"http://hub.example":       false,
		"https://hub.example:8443": false,
		"https://evil.example":     false,
	} {
		response := ada.do(http.MethodPost, "api/flows", nil, map[string]string{"X-CSRF-Token": ada.csrf, "Origin": origin})
		require.Equal(t, ours, response.StatusCode != http.StatusForbidden, origin)
		form := ada.send("cancel", url.Values{"csrf": {ada.csrf}}, map[string]string{"Origin": origin})
		require.Equal(t, ours, form.StatusCode == http.StatusSeeOther, origin)
	}
}

// The Hub's word is remembered for a minute; the Hub's own check at its start is
// not the only one that comes later.
func TestPageStaysBelow500WhenTheHubIsGoneAfterTheMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := setUp(t)
		f.service.Close()
		var cookies []*http.Cookie
		get := func(path string) *httptest.ResponseRecorder {
			r, w := httptest.NewRequestWithContext(t.Context(), http.MethodGet, prefix+path, nil), httptest.NewRecorder()
			for _, c := range cookies {
				r.AddCookie(c)
			}
			f.handler.ServeHTTP(w, r)
			cookies = append(cookies, w.Result().Cookies()...)
			return w
		}
		at, err := url.Parse(get("").Header().Get("Location"))
		require.NoError(t, err)
		require.Equal(t, http.StatusFound, get("oauth_callback?code=ada&state="+at.Query().Get("state")).Code)
		require.Contains(t, get("").Body.String(), `data-state="none"`)

		f.hubDown = true
		time.Sleep(time.Minute - time.Second)
		require.Contains(t, get("").Body.String(), `data-state="none"`, "the minute")
		time.Sleep(time.Second)
		answer := get("")
		require.Equal(t, http.StatusOK, answer.Code)
		require.Contains(t, answer.Body.String(), `data-state="unavailable"`)
		require.Equal(t, "7", answer.Header().Get("Retry-After"))

		f.hubDown = false
		require.Contains(t, get("").Body.String(), `data-state="none"`, "the session survived")
	})
}
