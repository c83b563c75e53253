package hubauth

import (
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/securecookie"
)

// CookiesError: a browser sent two cookies of one name, or a Hub session id that
// is not the one that the Hub knows. Pages and servers at the same address, or
// below the same domain, can set cookies for ours, and which of two is the
// service's or the Hub's no request tells (RFC 6265, 8.6). So it counts as signed
// out, but unlike [ErrSignedOut] no login may follow by itself: that would end
// here again.
type CookiesError struct{ Names []string }

func (e *CookiesError) Error() string {
	return "cookies that cannot be told apart: " + strings.Join(e.Names, ", ")
}

// once demands that no cookie of these names comes twice.
func once(r *http.Request, names ...string) error {
	seen := map[string]int{}
	var twice []string
	for _, cookie := range r.Cookies() {
		if !slices.Contains(names, cookie.Name) {
			continue
		}
		if seen[cookie.Name]++; seen[cookie.Name] == 2 {
			twice = append(twice, cookie.Name)
		}
	}
	if twice != nil {
		return &CookiesError{twice}
	}
	return nil
}

// value is that of a cookie which [once] has let through; empty: there is none.
func value(r *http.Request, name string) string {
	cookie, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// Expire has the browser drop the cookies that an error names, wherever they
// were set from: for each path at or above the request's, and each domain at or
// above the host's. Only the Hub's own session id stays, at the place where the
// Hub sets it: without it a logout at the Hub would end no session of a service.
func (a *Auth) Expire(w http.ResponseWriter, r *http.Request, of *CookiesError) {
	for _, name := range of.Names {
		for _, domain := range a.domains(r) {
			for _, path := range pathsOf(r.URL.Path) {
				if name == hubSessionCookie && domain == a.hubCookieDomain && path == a.hubCookiePath {
					continue
				}
				http.SetCookie(w, &http.Cookie{Name: name, Path: path, Domain: domain, MaxAge: -1, Secure: strings.HasPrefix(name, hostPrefix)})
			}
		}
	}
}

// pathsOf are the paths for which a cookie may be set that comes with a request
// for path, with and without a slash at the end (RFC 6265, 5.1.4).
func pathsOf(path string) []string {
	paths := []string{"/"}
	for i, char := range path {
		if i > 0 && char == '/' {
			paths = append(paths, path[:i], path[:i+1])
		}
	}
	if !strings.HasSuffix(path, "/") {
		paths = append(paths, path)
	}
	return paths
}

// domains are those for which a cookie may be set that comes with a request to
// this host; the first is none, which means the host alone.
func (a *Auth) domains(r *http.Request) []string {
	host := r.Host
	if a.publicURL != nil {
		host = a.publicURL.Host
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	domains := []string{""}
	if net.ParseIP(strings.Trim(host, "[]")) != nil {
		return domains
	}
	for strings.Contains(host, ".") {
		domains = append(domains, host)
		_, host, _ = strings.Cut(host, ".")
	}
	return domains
}

// hostPrefix makes browsers take a cookie only from this very host, over https
// and for the path "/" (RFC 6265bis, 4.1.3.2).
const hostPrefix = "__Host-"

// baseName begins the names of all cookies of this service.
func (a *Auth) baseName() string {
	if a.hostCookies {
		return hostPrefix + a.clientID
	}
	return a.clientID
}

// stateTag is how much of a state names its cookie.
const stateTag = 8

func (a *Auth) sessionCookie() string { return a.baseName() + "-session" }

// loginCookie is the name of a login's cookie, and what all of them begin with.
func (a *Auth) loginCookie(state string) string {
	return a.baseName() + "-login-" + state[:min(stateTag, len(state))]
}

// cookie is one of ours. Lax, because the way back from the Hub is a navigation
// from another page.
func (a *Auth) cookie(r *http.Request, name, value string, life time.Duration) *http.Cookie {
	cookie := &http.Cookie{
		Name: name, Value: value, Path: a.prefix, MaxAge: int(life.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: a.secure(r),
	}
	if a.hostCookies {
		cookie.Path, cookie.Secure = "/", true
	}
	return cookie
}

// expired is one of ours that the browser is to drop.
func (a *Auth) expired(r *http.Request, name string) *http.Cookie {
	cookie := a.cookie(r, name, "", 0)
	cookie.MaxAge = -1
	return cookie
}

// secure follows the service's public address; where that is not known, what the
// proxy says. Whoever forges the header harms a cookie of their own only.
func (a *Auth) secure(r *http.Request) bool {
	if a.publicURL != nil {
		return a.publicURL.Scheme == "https"
	}
	first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	return strings.EqualFold(strings.TrimSpace(first), "https")
}

// CookieKey is made of two keys of 32 bytes: one that signs and one that
// encrypts.
type CookieKey struct{ Sign, Seal []byte }

// loginCodecs are for what the browser keeps during a login, which is secret.
func loginCodecs(keys []CookieKey) []securecookie.Codec {
	var codecs []securecookie.Codec
	for _, key := range keys {
		codecs = append(codecs, securecookie.New(key.Sign, key.Seal).SetSerializer(securecookie.JSONEncoder{}).MaxAge(int(loginLife.Seconds())))
	}
	return codecs
}

// sessionCodecs are for the id of a session. That is random and means nothing
// but to the store, so it is signed and no more: every request reads it.
func sessionCodecs(keys []CookieKey, life time.Duration) []securecookie.Codec {
	var codecs []securecookie.Codec
	for _, key := range keys {
		codecs = append(codecs, securecookie.New(key.Sign, nil).SetSerializer(securecookie.NopEncoder{}).MaxAge(int(life.Seconds())))
	}
	return codecs
}
