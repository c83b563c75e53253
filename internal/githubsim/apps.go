package githubsim

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/golang-jwt/jwt/v5"
)

const (
	maxJWTAhead   = 10 * time.Minute
	maxJWTDrift   = 60 * time.Second
	maxTokenRepos = 500
	tokenAlphabet = base62 + "_-." // new tokens are long and hold more than letters
)

// appOfJWT checks an App's JWT: RS256 by the App's key, times by our clock.
func (s *Server) appOfJWT(value string) (*App, *reply) {
	refuse := func(status int, message string) (*App, *reply) {
		p := fail(status, message)
		return nil, &p
	}
	var app *App
	claims := jwt.MapClaims{}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithoutClaimsValidation(), jwt.WithJSONNumber())
	_, err := parser.ParseWithClaims(value, claims, func(*jwt.Token) (any, error) {
		if app = s.appByIssuer(fmt.Sprint(claims["iss"])); app == nil || app.key == nil {
			return nil, fmt.Errorf("no key")
		}
		return app.key, nil
	})
	if err != nil {
		if app == nil && claims["iss"] != nil {
			return refuse(http.StatusNotFound, "Integration not found")
		}
		return refuse(http.StatusUnauthorized, "A JSON web token could not be decoded")
	}
	iat, errIat := strconv.ParseInt(fmt.Sprint(claims["iat"]), 10, 64)
	exp, errExp := strconv.ParseInt(fmt.Sprint(claims["exp"]), 10, 64)
	now := s.Now()
	switch {
	case errIat != nil || time.Unix(iat, 0).After(now.Add(maxJWTDrift)):
		return refuse(http.StatusUnauthorized, "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued")
	case errExp != nil || !time.Unix(exp, 0).After(now):
		return refuse(http.StatusUnauthorized, "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires")
	case time.Unix(exp, 0).After(now.Add(maxJWTAhead)):
		return refuse(http.StatusUnauthorized, "'Expiration time' claim ('exp') is too far in the future")
	}
	return app, nil
}

// appByIssuer takes the client id or the App's number, as GitHub does.
func (s *Server) appByIssuer(iss string) *App {
	for _, a := range s.apps {
		if a.ClientID == iss || strconv.FormatInt(a.ID, 10) == iss {
			return a
		}
	}
	return nil
}

func (s *Server) appJSON(a *App) map[string]any {
	body := map[string]any{"id": a.ID, "client_id": a.ClientID, "slug": a.Slug, "name": a.Name, "permissions": a.Permissions,
		"events": []string{}, "html_url": s.url + "/apps/" + a.Slug, "external_url": s.url, "description": ""}
	if owner := s.account(a.Owner); owner != nil {
		body["owner"] = s.accountJSON(owner)
	}
	return body
}

func (s *Server) getAppBySlug(c *call) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.appBySlug(chi.URLParam(c.Request, "slug"))
	if a == nil || (a.Private && (c.token == nil || c.token.app != a) && c.app != a) {
		return fail(http.StatusNotFound, "Not Found")
	}
	return ok(s.appJSON(a))
}

func (s *Server) getApp(c *call) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	body := s.appJSON(c.app)
	n := 0
	for _, i := range s.installations {
		if i.app == c.app {
			n++
		}
	}
	body["installations_count"] = n
	return ok(body)
}

func (s *Server) appInstallations(c *call) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []map[string]any{}
	for _, i := range s.sortedInstallations() {
		if i.app == c.app {
			list = append(list, s.installationJSON(i))
		}
	}
	return paged(s, c, "", list, nil)
}

// installationOfCall is the caller's installation that the address names.
func (s *Server) installationOfCall(c *call) *installation {
	id, _ := strconv.ParseInt(chi.URLParam(c.Request, "id"), 10, 64)
	if i := s.installations[id]; i != nil && i.app == c.app {
		return i
	}
	return nil
}

func (s *Server) appInstallation(c *call) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.installationOfCall(c); i != nil {
		return ok(s.installationJSON(i))
	}
	return fail(http.StatusNotFound, "Not Found")
}

// accountInstallation is /users/{login}/installation and /orgs/{login}/installation.
func (s *Server) accountInstallation(c *call) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.installationOf(c.app, chi.URLParam(c.Request, "login")); i != nil {
		return ok(s.installationJSON(i))
	}
	return fail(http.StatusNotFound, "Not Found")
}

func (s *Server) repoInstallation(c *call) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := chi.URLParam(c.Request, "owner") + "/" + chi.URLParam(c.Request, "repo")
	r := s.repo(name)
	if to := s.renamed[strings.ToLower(name)]; r == nil && to != nil {
		address := fmt.Sprintf("%s/repositories/%d/installation", s.apiURL, to.ID)
		return reply{status: http.StatusMovedPermanently, json: map[string]any{"message": "Moved Permanently", "url": address,
			"documentation_url": "https://docs.github.com/rest/guides/best-practices-for-using-the-rest-api#follow-redirects"}}.with("Location", address)
	}
	if r != nil {
		if i := s.installationOf(c.app, r.owner); i != nil && i.includes(r) {
			return ok(s.installationJSON(i))
		}
	}
	return fail(http.StatusNotFound, "Not Found")
}

// mintRequest is the body of POST /app/installations/{id}/access_tokens. Empty
// and missing mean the same, everything, as they do at GitHub.
type mintRequest struct {
	Repositories  []string          `json:"repositories"`
	RepositoryIDs []int64           `json:"repository_ids"`
	Permissions   map[string]string `json:"permissions"`
}

// mintAnswer has its parts in GitHub's order: the token comes first.
type mintAnswer struct {
	Token        string            `json:"token"`
	ExpiresAt    string            `json:"expires_at"`
	Permissions  map[string]string `json:"permissions"`
	Selection    string            `json:"repository_selection"`
	Repositories []map[string]any  `json:"repositories,omitempty"`
}

func (s *Server) mint(c *call) reply {
	var m mintRequest
	if c.ContentLength != 0 {
		if err := json.NewDecoder(http.MaxBytesReader(nil, c.Body, 1<<20)).Decode(&m); err != nil {
			return fail(http.StatusBadRequest, "Problems parsing JSON")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.installationOfCall(c)
	switch {
	case i == nil:
		return fail(http.StatusNotFound, "Not Found")
	case !i.suspended.IsZero():
		return fail(http.StatusForbidden, "This installation has been suspended")
	case s.allowList[strings.ToLower(i.account.Login)]:
		return fail(http.StatusForbidden, "Although you appear to have the correct authorization credentials, the `"+i.account.Login+
			"` organization has an IP allow list enabled, and your IP address is not permitted to access this resource.")
	case len(m.Repositories)+len(m.RepositoryIDs) > maxTokenRepos:
		return fail(http.StatusUnprocessableEntity, "Too many repositories were requested for this token: at most 500.")
	}
	repos, found := s.mintRepos(i, m)
	if !found {
		return fail(http.StatusUnprocessableEntity, "There is at least one repository that does not exist or is not accessible to the parent installation.")
	}
	permissions := map[string]string{}
	for name, level := range m.Permissions {
		if levels[level] == 0 || !grantsLevel(i.permissions, name, level) {
			return fail(http.StatusUnprocessableEntity, "The permissions requested are not granted to this installation.")
		}
		permissions[name] = level
	}
	if len(permissions) == 0 {
		permissions = maps.Clone(i.permissions)
	}
	return s.minted(i, repos, withMetadata(permissions)) // every token has it, asked for or not
}

// mintRepos resolves the repositories asked for; nil for all of the installation.
func (s *Server) mintRepos(i *installation, m mintRequest) (map[int64]bool, bool) {
	if len(m.Repositories)+len(m.RepositoryIDs) == 0 {
		return nil, true
	}
	ids := map[int64]bool{}
	for _, name := range m.Repositories {
		r := s.repo(i.account.Login + "/" + name)
		if r == nil || strings.Contains(name, "/") || !i.includes(r) {
			return nil, false
		}
		ids[r.ID] = true
	}
	for _, id := range m.RepositoryIDs {
		r := s.repoByID(id)
		if r == nil || !i.includes(r) {
			return nil, false
		}
		ids[r.ID] = true
	}
	return ids, true
}

func (s *Server) minted(i *installation, repos map[int64]bool, permissions map[string]string) reply {
	t := &token{value: "ghs_" + randomFrom(tokenAlphabet, 516), app: i.app, installation: i, repos: repos,
		permissions: permissions, issued: s.Now(), expires: s.Now().Add(s.opts.InstallationTokenLife)}
	s.keep(t)
	body := mintAnswer{Token: t.value, ExpiresAt: t.expires.UTC().Format(time.RFC3339), Permissions: permissions, Selection: "selected"}
	for _, r := range s.sortedRepos() {
		if repos[r.ID] {
			body.Repositories = append(body.Repositories, s.repoJSON(r, levels["read"]))
		}
	}
	if repos == nil && i.all {
		body.Selection = "all"
	}
	return reply{status: http.StatusCreated, json: body}
}

func (s *Server) installationRepos(c *call) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []map[string]any{}
	for _, r := range s.sortedRepos() {
		if s.covers(c.token, r, "metadata", "read") {
			list = append(list, s.repoJSON(r, s.apiRole(c.token, r)))
		}
	}
	return paged(s, c, "repositories", list, map[string]any{"repository_selection": s.installationJSON(c.token.installation)["repository_selection"]})
}
