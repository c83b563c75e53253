package hubapi_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/hubapi"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

func TestServerIsTheOneThatATokenIsOf(t *testing.T) {
	t.Parallel()
	const activity = "users:activity!user=ada"
	for name, c := range map[string]struct {
		user, kind string
		scopes     []string
		want       string
		one        bool
	}{
		"the default server":             {"ada", "user", []string{activity, "access:servers!server=ada/"}, "", true},
		"a named one":                    {"ada", "user", []string{"access:servers!server=ada/gpu test", activity}, "gpu test", true},
		"names of every kind":            {"o'm!a=l@ü", "user", []string{"access:servers!server=o'm!a=l@ü/ü=!&"}, "ü=!&", true},
		"several":                        {"ada", "user", []string{"access:servers!server=ada/", "access:servers!server=ada/joint"}, "", false},
		"one beside another user's":      {"ada", "user", []string{"access:servers!server=ada/", "access:servers!server=eve/"}, "", false},
		"another user's of that name":    {"eve", "user", []string{"access:servers!server=ada/"}, "", false},
		"a user whose name begins alike": {"ada", "user", []string{"access:servers!server=ada2/x"}, "", false},
		"a slash too many":               {"ada", "user", []string{"access:servers!server=ada/x/y"}, "", false},
		"all of the user's":              {"ada", "user", []string{"access:servers!user=ada"}, "", false},
		"all of a group's":               {"ada", "user", []string{"access:servers!group=ada/"}, "", false},
		"all":                            {"ada", "user", []string{"access:servers"}, "", false},
		"one, and all of the user's":     {"ada", "user", []string{"access:servers!server=ada/", "access:servers!user=ada"}, "", false},
		"none":                           {"ada", "user", []string{activity, "access:services"}, "", false},
		"a service's":                    {"ada", "service", []string{"access:servers!server=ada/"}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, one := hub.User{Kind: c.kind, Name: c.user, Scopes: c.scopes}.Server()
			require.Equal(t, c.one, one)
			require.Equal(t, c.want, got)
		})
	}
}

func TestSharesAreReadToTheirEnd(t *testing.T) {
	t.Parallel()
	pages := map[string]string{
		"0": `{"items":[{"server":{"name":""},"user":{"name":"eve"},"group":null}],"_pagination":{"next":{"offset":1}}}`,
		"1": `{"items":[],"_pagination":{"next":{"offset":2}}}`, // what has expired is left out
		"2": `{"items":[{"server":{"name":""},"user":null,"group":{"name":"class"}},{"server":{"name":"joint"},"user":{"name":"bob"}}],"_pagination":{"next":null}}`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.EscapedPath() != "/hub/api/shares/o%27malley" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write([]byte(pages[r.URL.Query().Get("offset")]))
	}))
	t.Cleanup(server.Close)
	api, err := url.Parse(server.URL + "/hub/api")
	require.NoError(t, err)
	client := hubapi.New(api, api, nil, server.Client(), nil)
	shares, err := client.Shares(t.Context(), secret.New("t"), "o'malley")
	require.NoError(t, err)
	require.Equal(t, map[string][]string{"": {"eve", "class"}, "joint": {"bob"}}, shares)
	_, err = client.Shares(t.Context(), secret.New("t"), "somebody")
	require.ErrorIs(t, err, hub.ErrForbidden)
}

func TestMayReadShares(t *testing.T) {
	t.Parallel()
	for scope, may := range map[string]bool{
		"read:shares!user=ada": true, "shares!user=ada": true, "shares": true,
		"read:shares!user=eve": false, "shares!server=ada/": false, "read:users:shares!user=ada": false, "users:shares!user=ada": false,
	} {
		require.Equal(t, may, hub.User{Name: "ada", Scopes: []string{"read:users!user=ada", scope}}.MayReadShares(), scope)
	}
}
