package hubtest

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
)

// Visitor is a person whose browser runs no script: signed in at the Hub, with
// the service's page open. Tests that need many people use it.
type Visitor struct {
	hub  *Hub
	http *http.Client
	csrf string // of the service's page
}

var (
	hiddenInput = regexp.MustCompile(`<input[^>]*type="hidden"[^>]*>`)
	inputName   = regexp.MustCompile(`name="([^"]*)"`)
	inputValue  = regexp.MustCompile(`value="([^"]*)"`)
	csrfMeta    = regexp.MustCompile(`name="csrf-token" content="([^"]+)"`)
)

// Visit signs a user in, opens the service's page and consents.
func (h *Hub) Visit(ctx context.Context, user string) (*Visitor, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	v := &Visitor{hub: h, http: &http.Client{Transport: local.Transport, Jar: jar}}
	login, page, err := v.get(ctx, h.ServiceURL) // which sends on to the Hub
	if err != nil {
		return nil, err
	}
	form := hiddenFields(page)
	form.Set("username", user)
	form.Set("password", Password)
	at, page, err := v.post(ctx, login.String(), form)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(at.Path, "/oauth2/authorize") {
		if _, page, err = v.post(ctx, at.String(), hiddenFields(page)); err != nil {
			return nil, err
		}
	}
	found := csrfMeta.FindStringSubmatch(page)
	if found == nil {
		return nil, fmt.Errorf("hubtest: the service's page has no CSRF token:\n%s", page)
	}
	v.csrf = found[1]
	return v, nil
}

// Call asks the service as the page's script does; path is relative to the
// service's page, in and out may be nil; a string in is sent, and a *string out
// filled, as it is, without JSON. It returns the status, whatever it is; out also
// takes the body of an error.
func (v *Visitor) Call(ctx context.Context, method, path string, in, out any) (int, error) {
	header := http.Header{}
	header.Set("X-CSRF-Token", v.csrf)
	header.Set("Origin", origin(v.hub.ServiceURL))
	return callService(ctx, v.http, header, method, v.hub.ServiceURL+path, in, out)
}

// Cookies are those that the person's browser would send to an address.
func (v *Visitor) Cookies(address *url.URL) []*http.Cookie { return v.http.Jar.Cookies(address) }

// Page is the service's page as it is now.
func (v *Visitor) Page(ctx context.Context) (string, error) {
	_, page, err := v.get(ctx, v.hub.ServiceURL)
	return page, err
}

// Open follows an address, such as that of a server, through the logins and
// consents that need no click.
func (v *Visitor) Open(ctx context.Context, address string) error {
	_, _, err := v.get(ctx, address)
	return err
}

// SignOut ends the visitor's session at the Hub, not at the service.
func (v *Visitor) SignOut(ctx context.Context) error {
	_, _, err := v.get(ctx, v.hub.URL+"hub/logout")
	return err
}

func (v *Visitor) get(ctx context.Context, address string) (*url.URL, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, "", err
	}
	return v.do(req)
}

func (v *Visitor) post(ctx context.Context, address string, form url.Values) (*url.URL, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", origin(address))
	return v.do(req)
}

// do follows redirects and returns where it ended.
func (v *Visitor) do(req *http.Request) (*url.URL, string, error) {
	res, err := v.http.Do(req)
	if err != nil {
		return nil, "", fmt.Errorf("hubtest: %w", err)
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= 400 {
		err = fmt.Errorf("hubtest: %s %s: status %d:\n%s", req.Method, req.URL, res.StatusCode, page)
	}
	return res.Request.URL, string(page), err
}

// hiddenFields are the values that a form of the Hub carries along.
func hiddenFields(page string) url.Values {
	form := url.Values{}
	for _, input := range hiddenInput.FindAllString(page, -1) {
		name, value := inputName.FindStringSubmatch(input), inputValue.FindStringSubmatch(input)
		if name != nil && value != nil {
			form.Add(html.UnescapeString(name[1]), html.UnescapeString(value[1]))
		}
	}
	return form
}
