package githubsim

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
)

const manifestLife = time.Hour

// manifest is a GitHub App manifest on its way: shown to a person, then waiting
// under a code for its conversion. As on GitHub it cannot switch on the device flow.
type manifest struct {
	Name        string            `json:"name"`
	URL         string            `json:"url"`
	RedirectURL string            `json:"redirect_url"`
	Callbacks   []string          `json:"callback_urls"`
	SetupURL    string            `json:"setup_url"`
	Public      bool              `json:"public"`
	Permissions map[string]string `json:"default_permissions"`
	Hook        *struct {
		URL string `json:"url"`
	} `json:"hook_attributes"`

	state, org, owner string
	issued            time.Time
}

// postManifest takes the form that a registering program shows. It comes from
// another site, without our cookie, so it is only kept until the person, whose
// next GET carries the cookie, confirms it.
func (s *Server) postManifest(w http.ResponseWriter, r *http.Request) {
	var m manifest
	if err := json.Unmarshal([]byte(r.PostFormValue("manifest")), &m); err != nil || m.URL == "" || m.RedirectURL == "" {
		s.write(w, r, s.pageError(http.StatusBadRequest, "The manifest is not valid: url and redirect_url are needed."))
		return
	}
	if m.Hook != nil && m.Hook.URL == "" {
		s.write(w, r, s.pageError(http.StatusBadRequest, "The manifest is not valid: hook_attributes need a url."))
		return
	}
	s.mu.Lock()
	m.state, m.org, m.issued = r.URL.Query().Get("state"), chi.URLParam(r, "org"), s.Now()
	pending := randomHex(20)
	s.manifests["pending "+pending] = m
	s.mu.Unlock()
	s.write(w, r, redirect("/settings/apps/new?pending="+pending))
}

func (s *Server) manifestPage(n *session, r *http.Request) reply {
	m, found := s.manifests["pending "+r.URL.Query().Get("pending")]
	if !found {
		return s.pageError(http.StatusNotFound, "There is no such manifest.")
	}
	return n.page("manifest.html", "Create GitHub App", map[string]any{"Name": m.Name, "Permissions": m.Permissions, "Pending": r.URL.Query().Get("pending")})
}

func (s *Server) confirmManifest(n *session, r *http.Request) reply {
	key := "pending " + r.PostFormValue("pending")
	m, found := s.manifests[key]
	back, err := url.Parse(m.RedirectURL)
	if !found || err != nil {
		return s.pageError(http.StatusNotFound, "There is no such manifest.")
	}
	m.Name, m.owner, m.issued = r.PostFormValue("name"), n.login, s.Now()
	if m.org != "" {
		if org := s.account(m.org); org == nil || !s.administers(n.login, org) {
			return s.pageError(http.StatusNotFound, "There is no such organisation that you own.")
		}
		m.owner = m.org
	}
	if m.Name == "" || s.appBySlug(slugOf(m.Name)) != nil {
		return s.pageError(http.StatusUnprocessableEntity, "This name is taken.")
	}
	delete(s.manifests, key)
	code := randomHex(40)
	s.manifests[code] = m
	q := back.Query()
	q.Set("code", code)
	q.Set("state", m.state)
	back.RawQuery = q.Encode()
	return redirect(back.String())
}

func slugOf(name string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}), "-")
}

// convertManifest is POST /app-manifests/{code}/conversions: once, within an hour.
func (s *Server) convertManifest(c *call) reply {
	code := chi.URLParam(c.Request, "code")
	s.mu.Lock()
	m, found := s.manifests[code]
	if !strings.HasPrefix(code, "pending ") {
		delete(s.manifests, code)
	}
	s.mu.Unlock()
	if !found || m.owner == "" || s.Now().Sub(m.issued) >= manifestLife {
		return fail(http.StatusNotFound, "Not Found")
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fail(http.StatusInternalServerError, "no key")
	}
	public, _ := x509.MarshalPKIXPublicKey(&key.PublicKey) // cannot fail for an RSA key
	app := App{ClientID: "Iv23" + randomFrom(base62, 16), Slug: slugOf(m.Name), Name: m.Name, Owner: m.owner, ClientSecret: randomHex(40),
		CallbackURLs: m.Callbacks, SetupURL: m.SetupURL, Permissions: m.Permissions, Private: !m.Public, NoDeviceFlow: true,
		PublicKeyPEM: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))}
	if err := s.PutApp(app); err != nil {
		return fail(http.StatusUnprocessableEntity, "Validation Failed")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	body := s.appJSON(s.apps[app.ClientID])
	body["client_secret"], body["webhook_secret"] = app.ClientSecret, nil
	body["pem"] = string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	return reply{status: http.StatusCreated, json: body}
}
