package server_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/hub"
)

func TestAdminForgetsABoundAccount(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	f.change(func(o *flow.Options) { o.Identity = flow.BoundAccount })
	f.hubUser["hub-grace"] = hub.User{Kind: "user", Name: "grace", Created: created, Scopes: []string{access, adminScope}}
	ada, eve, grace := f.signIn("ada"), f.signIn("eve"), f.signIn("grace")
	require.NotContains(t, read(t, grace.do(http.MethodGet, "admin", nil, nil)), `id="bound"`, "nobody is bound yet")
	f.connect(ada)
	bound := func() int64 {
		user, err := f.users.Load(context.Background(), "ada")
		require.NoError(t, err)
		return user.BoundAccount
	}
	require.Contains(t, read(t, grace.do(http.MethodGet, "admin", nil, nil)), `data-bound="ada"`)

	of := url.Values{"user": {"ada"}}
	for name, refused := range map[string]struct {
		response *http.Response
		status   int
	}{
		"the user themselves":         {ada.postForm("admin/forget-account", of), http.StatusNotFound},
		"another user":                {eve.postForm("admin/forget-account", of), http.StatusNotFound},
		"an admin's browser, tricked": {grace.do(http.MethodPost, "admin/forget-account", strings.NewReader("user=ada"), map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Origin": grace.origin()}), http.StatusForbidden},
	} {
		require.Equal(t, refused.status, refused.response.StatusCode, name)
	}
	require.NotZero(t, bound())

	for range 2 { // a second click finds it done
		require.Equal(t, http.StatusSeeOther, grace.postForm("admin/forget-account", of).StatusCode)
	}
	require.Zero(t, bound())
	require.Equal(t, http.StatusSeeOther, grace.postForm("admin/forget-account", url.Values{"user": {"nobody"}}).StatusCode)
	require.NotContains(t, read(t, grace.do(http.MethodGet, "admin", nil, nil)), `data-bound="ada"`)
	events, err := f.audit.Recent(t.Context(), 10)
	require.NoError(t, err)
	require.Equal(t, [3]string{"account_forgotten", "octocat", "admin grace"}, [3]string{events[0].Action, events[0].Account, events[0].Reason})
	require.Equal(t, http.StatusOK, ada.do(http.MethodGet, "api/connection", nil, nil).StatusCode, "the connection stays")
}

func TestAdminIsAskedForOnceForAPageAndNoMoreThanNeeded(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	f.hubUser["hub-grace"] = hub.User{Kind: "user", Name: "grace", Created: created, Scopes: []string{access, adminScope}}
	grace := f.signIn("grace")
	f.asked = 0
	require.Contains(t, read(t, grace.do(http.MethodGet, "", nil, nil)), prefix+"admin")
	require.Equal(t, http.StatusOK, grace.do(http.MethodGet, "fragment", nil, nil).StatusCode)
	require.Zero(t, f.asked, "the Hub's word counts for a minute, for reading")
	require.Equal(t, http.StatusOK, grace.do(http.MethodGet, "admin", nil, nil).StatusCode)
	require.Equal(t, 1, f.asked, "a right that was taken away is gone at once")

	f.hubDown = true
	require.Contains(t, read(t, grace.do(http.MethodGet, "", nil, nil)), prefix+"admin")
	require.Equal(t, http.StatusServiceUnavailable, grace.do(http.MethodGet, "admin", nil, nil).StatusCode, "no word of the Hub's is no \"no\"")

	f.hubDown = false
	f.hubUser["hub-grace"] = hub.User{Kind: "user", Name: "grace", Created: created, Scopes: []string{access}}
	require.Equal(t, http.StatusNotFound, grace.do(http.MethodGet, "admin", nil, nil).StatusCode)
	require.NotContains(t, read(t, grace.do(http.MethodGet, "", nil, nil)), prefix+"admin")
}
