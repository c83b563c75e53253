package server_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkSessionCheck is one read by a signed-in browser, without the network.
func BenchmarkSessionCheck(b *testing.B) {
	f := setUp(b)
	ada := f.signIn("ada")
	at, err := url.Parse(f.base + "api/flows/current")
	require.NoError(b, err)
	request := httptest.NewRequest(http.MethodGet, at.Path, nil)
	for _, cookie := range ada.Jar.Cookies(at) {
		request.AddCookie(cookie)
	}
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		f.handler.ServeHTTP(w, request.Clone(b.Context()))
		require.Equal(b, http.StatusNotFound, w.Code)
	}
}
