package githubsim

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Options describe the world a Server starts with. The zero value is a small
// complete one: two people, an organisation, five repositories and one App.
type Options struct {
	Listen      string // public address; default 127.0.0.1:0
	AdminListen string // management address; default 127.0.0.1:0
	APIListen   string // set: the API also answers here without the /api/v3 prefix, as api.github.com does
	TLS         bool   // serve the public addresses over https with a CA of our own, see Server.CAPEM
	Enterprise  bool   // GHES: /credentials/revoke wants an authenticated caller

	Clock    func() time.Time // default time.Now; Server.Advance adds to it
	Interval time.Duration    // device flow polling interval, whole seconds; default 5 s
	Limits   Limits
	// Latency is the longest that an answer takes; each takes a quarter of it at
	// least, by chance. Half of that passes before the request is looked at, half
	// before the answer is seen. Default: none.
	Latency time.Duration
	// InstallationTokenLife is an hour at GitHub; a test of what happens at the
	// end of it needs less.
	InstallationTokenLife time.Duration

	Accounts     []Account
	Repositories []Repository
	Apps         []App
}

// Limits are GitHub's own, settable because a load test needs others.
// A zero field means GitHub's number.
type Limits struct {
	CodeEntriesPerHour int // codes typed on the page, per App: 50
	TokensPerUser      int // live tokens per user and App: 10
	TokensPerHour      int // web flow tokens before the user is asked again: 10
	UserPerHour        int // REST calls of a user or an installation: 5,000
	AnonymousPerHour   int // REST calls without a token, per address: 60
	RevokePerHour      int // POST /credentials/revoke, per address: 60
}

// Account is a person or an organisation.
type Account struct {
	Login   string            `json:"login"`
	Name    string            `json:"name,omitempty"`
	Email   string            `json:"email,omitempty"`
	Org     bool              `json:"org,omitempty"`
	Members map[string]string `json:"members,omitempty"` // organisation only: login to "admin" or "member"
	ID      int64             `json:"id,omitempty"`
}

// Repository is seeded with one commit on main, made when it is first touched.
type Repository struct {
	FullName      string            `json:"full_name"` // OWNER/NAME
	Private       bool              `json:"private,omitempty"`
	Collaborators map[string]string `json:"collaborators,omitempty"` // login to read, write or admin
	Files         map[string]string `json:"files,omitempty"`         // default: a README.md
	Archived      bool              `json:"archived,omitempty"`      // takes no push
	Protected     []string          `json:"protected,omitempty"`     // branches that change by pull requests only
	SignedOnly    []string          `json:"signed_only,omitempty"`   // branches that take verified commits only
	ID            int64             `json:"id,omitempty"`
}

// App is a registered GitHub App. The switches are written so that their zero
// value is what a working set-up has.
type App struct {
	ID            int64             `json:"id,omitempty"`
	ClientID      string            `json:"client_id"`
	Slug          string            `json:"slug"`
	Name          string            `json:"name,omitempty"`
	Owner         string            `json:"owner,omitempty"` // default: the first account
	ClientSecret  string            `json:"client_secret,omitempty"`
	CallbackURLs  []string          `json:"callback_urls,omitempty"`
	SetupURL      string            `json:"setup_url,omitempty"`      // where people go after they installed the App, or asked for it
	PublicKeyPEM  string            `json:"public_key_pem,omitempty"` // verifies the App's JWTs
	Permissions   map[string]string `json:"permissions,omitempty"`    // default: contents and pull_requests write, metadata read
	NoDeviceFlow  bool              `json:"no_device_flow,omitempty"`
	NoTokenExpiry bool              `json:"no_token_expiry,omitempty"`
	Private       bool              `json:"private,omitempty"` // only the owner's account can install it

	key *rsa.PublicKey
}

// GitHubLatency is the Latency of GitHub: 0.1 to 0.4 s.
const GitHubLatency = 400 * time.Millisecond

// DefaultClientID and DefaultSlug name the App of the zero Options.
const (
	DefaultClientID = "Iv23liGithubSim00001"
	DefaultSlug     = "ghscoped-demo"
)

func (o Options) withDefaults() Options {
	fill(&o.Listen, "127.0.0.1:0")
	fill(&o.AdminListen, "127.0.0.1:0")
	fill(&o.Interval, 5*time.Second)
	fill(&o.InstallationTokenLife, time.Hour)
	fill(&o.Limits.CodeEntriesPerHour, 50)
	fill(&o.Limits.TokensPerUser, 10)
	fill(&o.Limits.TokensPerHour, 10)
	fill(&o.Limits.UserPerHour, 5000)
	fill(&o.Limits.AnonymousPerHour, 60)
	fill(&o.Limits.RevokePerHour, 60)
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Accounts == nil {
		o.Accounts = []Account{
			{Login: "octocat", Name: "Octo Cat", Email: "octocat@example.org"},
			{Login: "mona", Name: "Mona Lisa"},
			{Login: "octo-org", Name: "Octo Organisation", Org: true, Members: map[string]string{"octocat": "admin", "mona": "member"}},
		}
	}
	if o.Repositories == nil {
		o.Repositories = []Repository{
			{FullName: "octocat/hello"},
			{FullName: "octocat/notes", Private: true},
			{FullName: "octocat/other"},
			{FullName: "octo-org/shared", Private: true, Collaborators: map[string]string{"mona": "write"}},
			{FullName: "octo-org/handbook"},
		}
	}
	if o.Apps == nil {
		o.Apps = []App{{ClientID: DefaultClientID, Slug: DefaultSlug, Name: "GHScoped Demo"}}
	}
	return o
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// seed puts the world of o into the empty server and says everything wrong with it.
func (s *Server) seed(o Options) error {
	var errs []error
	if o.Interval < time.Second || o.Interval%time.Second != 0 {
		errs = append(errs, fmt.Errorf("interval %v: whole seconds, at least one", o.Interval))
	}
	for _, a := range o.Accounts {
		errs = append(errs, s.AddAccount(a))
	}
	for _, r := range o.Repositories {
		errs = append(errs, s.AddRepository(r))
	}
	for _, a := range o.Apps {
		errs = append(errs, s.PutApp(a))
	}
	return errors.Join(errs...)
}

// AddAccount adds a person or an organisation.
func (s *Server) AddAccount(a Account) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.Login == "" || s.accounts[strings.ToLower(a.Login)] != nil {
		return fmt.Errorf("account %q: empty or taken", a.Login)
	}
	if a.ID == 0 {
		a.ID = s.nextID()
	}
	s.accounts[strings.ToLower(a.Login)] = &a
	s.order = append(s.order, a.Login)
	return nil
}

// AddRepository adds a repository of an account that exists.
func (s *Server) AddRepository(r Repository) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	owner, name, ok := strings.Cut(r.FullName, "/")
	if !ok || s.accounts[strings.ToLower(owner)] == nil || !safeName(name) || !safeName(owner) {
		return fmt.Errorf("repository %q: want OWNER/NAME of an existing account", r.FullName)
	}
	if s.repos[strings.ToLower(r.FullName)] != nil {
		return fmt.Errorf("repository %q: exists", r.FullName)
	}
	if r.ID == 0 {
		r.ID = s.nextID()
	}
	s.repos[strings.ToLower(r.FullName)] = &repository{Repository: r, owner: owner, name: name}
	return nil
}

// withMetadata adds the permission that every App has.
func withMetadata(permissions map[string]string) map[string]string {
	all := map[string]string{"metadata": "read"}
	maps.Copy(all, permissions)
	return all
}

// safeName keeps names that become folders inside our own folder.
func safeName(name string) bool {
	return name != "" && name[0] != '.' && !strings.ContainsAny(name, "/\\\x00")
}

// PutApp registers an App, or changes the one with the same client id. As on
// GitHub, existing installations keep the permissions they were made with.
func (s *Server) PutApp(a App) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.ClientID == "" || a.Slug == "" {
		return errors.New("app: client id and slug are needed")
	}
	if a.PublicKeyPEM != "" {
		key, err := jwt.ParseRSAPublicKeyFromPEM([]byte(a.PublicKeyPEM))
		if err != nil {
			return fmt.Errorf("app %s: public key: %w", a.Slug, err)
		}
		a.key = key
	}
	fill(&a.Name, a.Slug)
	if a.Owner == "" && len(s.order) > 0 {
		a.Owner = s.order[0]
	}
	if a.Permissions == nil {
		a.Permissions = map[string]string{"contents": "write", "pull_requests": "write"}
	}
	a.Permissions = withMetadata(a.Permissions)
	if old := s.apps[a.ClientID]; old != nil && a.ID == 0 {
		a.ID = old.ID
	}
	if a.ID == 0 {
		a.ID = s.nextID()
	}
	if old := s.apps[a.ClientID]; old != nil {
		*old = a // tokens and installations point at it
		return nil
	}
	s.apps[a.ClientID] = &a
	s.appOrder = append(s.appOrder, a.ClientID)
	return nil
}
