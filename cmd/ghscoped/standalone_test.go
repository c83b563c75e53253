package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// pretended is a GitHub that answers by path; in a synctest bubble there is no
// real one to ask.
type pretended map[string]func(*http.Request) (status int, link, body string)

func (p pretended) RoundTrip(r *http.Request) (*http.Response, error) {
	status, link, body := p[r.URL.Path](r)
	if r.Context().Err() != nil {
		return nil, r.Context().Err()
	}
	header := http.Header{"Content-Type": {"application/json"}, "Link": {link}, "Retry-After": {"3600"}}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func always(status int, body string) func(*http.Request) (int, string, string) {
	return func(*http.Request) (int, string, string) { return status, "", body }
}

// alone is a program that talks to a GitHub that grants every code.
func alone(t *testing.T) (invocation, pretended) {
	t.Helper()
	gitHub := pretended{
		"/login/device/code":        always(200, `{"device_code":"d","user_code":"U","expires_in":900,"interval":5}`),
		"/login/oauth/access_token": always(200, `{"access_token":"ghu_x","expires_in":28800}`),
		"/user":                     always(200, `{"id":7,"login":"ada"}`),
		"/user/installations":       always(200, `{"installations":[]}`),
		"/credentials/revoke":       always(202, ``),
	}
	silent, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = silent.Close() })
	return invocation{getenv: func(string) string { return "" }, stdin: strings.NewReader(""), stdout: silent, stderr: silent,
		clock: time.Now, http: &http.Client{Transport: gitHub}}, gitHub
}

func TestGitHubRefusesARemovedSetting(t *testing.T) {
	t.Parallel()
	in, _ := alone(t)
	in.getenv = func(name string) string {
		return map[string]string{"GHSCOPED_GITHUB_API_URL": "https://api.ghes.example"}[name]
	}
	_, _, err := in.github("Iv1.x", "")
	require.ErrorContains(t, err, "GHSCOPED_GITHUB_API_URL was removed")
}

func TestLoginAloneSaysWhatBecameOfItsToken(t *testing.T) {
	t.Parallel()
	const lives = "GitHub could not be told to revoke the token."
	for name, test := range map[string]struct {
		token   string // the token endpoint's answer
		options loginOptions
		says    string
	}{
		"a token that never expires": {`{"access_token":"ghu_x"}`, loginOptions{}, "The GitHub App gives out tokens that never expire."},
		"a token that is not narrow": {"", loginOptions{repositoryID: 5}, "GitHub did not narrow the token: the App or you cannot access this repository."},
		"no place for it":            {"", loginOptions{file: "/nowhere/at/all"}, "no such file or directory."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				in, gitHub := alone(t)
				if test.token != "" {
					gitHub["/login/oauth/access_token"] = always(200, test.token)
				}
				test.options.clientID = "Iv1.x"
				f := asCommandError(in.loginAlone(t.Context(), test.options))
				require.Contains(t, f.message, test.says+" The token was revoked.")
				require.Equal(t, exitFailed, f.exit)

				gitHub["/credentials/revoke"] = always(500, ``)
				f = asCommandError(in.loginAlone(t.Context(), test.options))
				require.Contains(t, f.message, test.says+" "+lives)
				require.Contains(t, f.hint, "revoke the App's access")
				require.NotContains(t, f.message, "was revoked")

				ctx, cancel := context.WithCancel(t.Context())
				gitHub["/credentials/revoke"] = func(*http.Request) (int, string, string) { cancel(); return 500, "", "" }
				f = asCommandError(in.loginAlone(ctx, test.options))
				require.Equal(t, "Interrupted. "+lives, f.message)
				require.Equal(t, exitInterrupted, f.exit, "or else run says no more than that")
			})
		})
	}
}

func TestLoginAloneWaitsNoLongerThanItsCodeIsValid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in, gitHub := alone(t)
		gitHub["/login/oauth/access_token"] = always(429, `{}`)
		begun := time.Now()
		f := asCommandError(in.loginAlone(t.Context(), loginOptions{clientID: "Iv1.x"}))
		require.Equal(t, "expired", f.code)
		require.Equal(t, 15*time.Minute, time.Since(begun))
	})
}

func TestReachIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in, gitHub := alone(t)
		gitHub["/user/installations"] = func(r *http.Request) (int, string, string) {
			select {
			case <-time.After(10 * time.Second):
			case <-r.Context().Done():
			}
			return 200, `<https://api.github.com/user/installations>; rel="next"`, `{"installations":[{"id":1}]}`
		}
		gh, _, err := in.github("Iv1.x", "")
		require.NoError(t, err)
		begun := time.Now()
		_, err = reach(t.Context(), gh, secret.New("ghu_x"), github.Account{Login: "ada"})
		require.Equal(t, "github_unreachable", codeOf(err))
		require.Equal(t, accessLimit, time.Since(begun))
	})
}

func TestFaultShowDoesNothingToTheTerminal(t *testing.T) {
	t.Parallel()
	in, _ := alone(t)
	(&commandError{message: "Re\x1b[2Jfused.", hint: "Ask\rNo."}).show(in, false)
	said, err := os.ReadFile(in.stderr.Name())
	require.NoError(t, err)
	require.Equal(t, "ghscoped: Re[2Jfused.\n  AskNo.\n", string(said))
}
