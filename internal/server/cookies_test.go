package server_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const sessionCookie = "service-connect-github-session"

// toss sends a request with another cookie of the session's name beside it, as a
// page at the same address can have set it.
func (b *browser) toss(method, path string, headers map[string]string) *http.Response {
	request, err := http.NewRequest(method, b.f.base+path, nil)
	require.NoError(b.f.t, err)
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	request.Header.Set("Cookie", sessionCookie+"=eves") // the jar adds the person's own
	response, err := b.Do(request)
	require.NoError(b.f.t, err)
	b.f.t.Cleanup(func() { _ = response.Body.Close() })
	requireDescribed(b.f.t, method, path, response)
	return response
}

func TestCookiesThatAreTwoAreSaidAndNothingFollowsByItself(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	ada := f.signIn("ada")
	page := map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept-Language": "de"}
	for _, call := range []string{"GET ", "GET admin", "GET github_callback?state=x&code=y", "POST connect", "POST cancel", "POST disconnect"} {
		method, path, _ := strings.Cut(call, " ")
		response := ada.toss(method, path, page)
		require.Equal(t, http.StatusUnauthorized, response.StatusCode, path)
		require.Empty(t, response.Header.Get("Location"), path)
		body := read(t, response)
		require.Contains(t, body, "die nicht zusammengehören", path)
		require.Contains(t, body, `id="sign-in"`, path)
		require.NotContains(t, body, ada.csrf, path)
		require.True(t, slices.ContainsFunc(response.Cookies(), func(c *http.Cookie) bool {
			return c.Name == sessionCookie && c.MaxAge < 0 && c.Path == prefix
		}), path)
		ada = f.signIn("ada") // the cookies are gone
	}
}

func TestCookiesThatAreTwoAreToldToScriptsWithoutTheirEnd(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	ada := f.signIn("ada")
	script := map[string]string{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "X-CSRF-Token": ada.csrf, "Origin": ada.origin()}
	for _, call := range []string{"GET api/flows/current", "POST api/flows", "DELETE api/connection", "GET api/connection", "GET fragment", "GET "} {
		method, path, _ := strings.Cut(call, " ")
		response := ada.toss(method, path, script)
		require.Equal(t, http.StatusUnauthorized, response.StatusCode, call)
		require.Empty(t, response.Cookies(), "the person is to read the page once: "+call)
		if strings.HasPrefix(path, "api/") {
			require.Equal(t, "ambiguous_cookies", code(t, response), call)
		}
	}
	require.Equal(t, http.StatusOK, ada.do(http.MethodGet, "", nil, nil).StatusCode, "nobody's session was ended")
	response := f.program(http.MethodGet, "api/connection", "server-ada", "")
	require.Equal(t, http.StatusNotFound, response.StatusCode, "programs have no cookies")
}

// A login costs a cookie, so whatever a page loads by the dozen begins none.
func TestLoginBeginsWithAPageOnly(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	for _, call := range []string{"GET ", "GET admin", "GET github_callback?state=x&code=y", "POST connect", "POST cancel"} {
		method, path, _ := strings.Cut(call, " ")
		for name, headers := range map[string]map[string]string{
			"a picture": {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
			"a script":  {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
			"a frame":   {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
		} {
			response := f.browser().do(method, path, nil, headers)
			require.Equal(t, http.StatusUnauthorized, response.StatusCode, name+": "+call)
			require.Empty(t, response.Cookies(), name+": "+call)
		}
		response := f.browser().do(method, path, nil, map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"})
		require.Equal(t, http.StatusFound, response.StatusCode, call)
	}
}
