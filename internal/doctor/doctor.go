package doctor

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ghscoped/ghscoped-service/internal/audit"
	"github.com/ghscoped/ghscoped-service/internal/check"
	"github.com/ghscoped/ghscoped-service/internal/config"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// limit bounds one check.
const limit = 15 * time.Second

// What a [Store] may answer beside its own errors.
var (
	// ErrHeld: another process has the store.
	ErrHeld = errors.New("a running process holds it")
	// ErrNothingYet: the service makes it at its first start.
	ErrNothingYet = errors.New("it is not there yet")
)

// Store is the key file and the records sealed with it.
type Store interface {
	// Keys reads the key file; ErrNothingYet where the service will make it.
	Keys() error
	// Try opens the store, writes to it, tries the keys on it, and returns the
	// last events it remembers; ErrHeld or ErrNothingYet.
	Try(ctx context.Context) ([]audit.Event, error)
}

// Hub is the Hub as the service calls it.
type Hub interface {
	Whoami(ctx context.Context, token secret.String) (hub.User, error)
}

// GitHub is GitHub as the service calls it. Errors are [*apierror.Error].
type GitHub interface {
	DeviceCode(ctx context.Context) (github.DeviceCode, error)
	// Exchange spends a code of the web flow.
	Exchange(ctx context.Context, code, verifier, redirect string) (github.Token, error)
	// PublicApp is the App as anybody sees it; the code app_not_public where
	// there is none that anybody sees.
	PublicApp(ctx context.Context) (github.App, error)
	// OwnApp is the App as its own private key shows it.
	OwnApp(ctx context.Context) (github.App, error)
	// Skew is how far GitHub's clock was ahead of ours in its latest answer.
	Skew() time.Duration
}

// Options are what a [Doctor] is made of. All are needed but BotFiles and Issuers.
type Options struct {
	Config config.Config
	Store  Store
	Hub    Hub
	// HubToken reads the service's own token.
	HubToken func() (secret.String, error)
	GitHub   GitHub
	// BotFiles reports what is wrong with the bot policy and the App's key; nil
	// where there are none.
	BotFiles func() error
	// Issuers reports which issuers of identity tokens do not say their keys; nil where
	// none are configured.
	Issuers func(ctx context.Context) error
	// ReadyURL is where a service that runs with these settings answers on this
	// machine.
	ReadyURL string
	HTTP     *http.Client
	Clock    func() time.Time
}

// Doctor checks one service. It is for one Run.
type Doctor struct {
	Options
	http *http.Client

	// What one check found and another one needs.
	running    bool // on this machine, with these settings
	events     []audit.Event
	hubVersion string
	hubSkew    time.Duration
	self       hub.User
	webErr     error // of the one call of GitHub's web address
	app        github.App
	appErr     error
}

// New returns a Doctor. Redirects of the HTTP client are switched off: what
// answers elsewhere is not what was asked for.
func New(o Options) *Doctor {
	plain := *o.HTTP
	plain.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Doctor{Options: o, http: &plain}
}

// checker makes one check.
type checker struct {
	name string
	// after are checks without which this one cannot be made.
	after []string
	run   func(ctx context.Context) check.Result
}

func (d *Doctor) checks() []checker {
	return append(append(d.localChecks(), d.hubChecks()...), d.gitHubChecks()...)
}

// Run makes every check and tells of each as soon as it is known.
func (d *Doctor) Run(ctx context.Context, tell func(check.Result)) []check.Result {
	var results []check.Result
	failed := map[string]bool{}
	for _, c := range d.checks() {
		result := c.result(ctx, failed)
		result.Name = c.name
		failed[c.name] = result.State == check.Fail || result.State == check.Skip
		results = append(results, result)
		tell(result)
	}
	return results
}

func (c checker) result(ctx context.Context, failed map[string]bool) check.Result {
	for _, name := range c.after {
		if failed[name] {
			return check.Skipped("Not checked, because of " + name + ".")
		}
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return c.run(ctx)
}

// OfSettings are the results where the settings cannot be read: nothing else can
// be checked then.
func OfSettings(errs config.Errors) []check.Result {
	results := make([]check.Result, len(errs))
	for i, e := range errs {
		results[i] = check.Failed(sentence(e.Setting+" ("+e.Source+"): "+e.Problem), sentence(e.Fix))
		results[i].Name = "settings"
	}
	return results
}

// sentence makes one of an error's text.
func sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	text = string(unicode.ToUpper(first)) + text[size:]
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text
}
