package hubtest

import (
	"net/http"
	"net/url"
)

// Cookies are those that the person's browser would send to an address.
func (v *Visitor) Cookies(address *url.URL) []*http.Cookie { return v.http.Jar.Cookies(address) }
