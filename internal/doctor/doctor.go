package doctor

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/config"
	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// legLimit bounds the look at one leg.
const legLimit = 15 * time.Second

// Outcome is how a leg does.
type Outcome string

// A warning is something that people should know and that does not keep the
// service from working. A leg is skipped where another one, on which it stands,
// has failed, and where the running service keeps it from being seen.
const (
	OK   Outcome = "ok"
	Warn Outcome = "warn"
	Fail Outcome = "fail"
	Skip Outcome = "skip"
)

// Finding is what was seen of a leg.
type Finding struct {
	Check   string  `json:"check"`
	Outcome Outcome `json:"outcome"`
	// What was seen, in a sentence; Fix, what to change, is empty where that is
	// nothing.
	What string `json:"what"`
	Fix  string `json:"fix,omitempty"`
}

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
	Try(ctx context.Context) ([]flow.Event, error)
}

// Hub is the Hub as the service calls it.
type Hub interface {
	Whoami(ctx context.Context, token secret.String) (hub.User, error)
}

// GitHub is GitHub as the service calls it. Errors are [flow.Error].
type GitHub interface {
	DeviceCode(ctx context.Context) (flow.DeviceCode, error)
	// Exchange spends a code of the web flow.
	Exchange(ctx context.Context, code, verifier, redirect string) (flow.Token, error)
	// PublicApp is the App as anybody sees it; the code app_not_public where
	// there is none that anybody sees.
	PublicApp(ctx context.Context) (flow.App, error)
	// OwnApp is the App as its own private key shows it.
	OwnApp(ctx context.Context) (flow.App, error)
	// Skew is how far GitHub's clock was ahead of ours in its latest answer.
	Skew() time.Duration
}

// Options are what a [Doctor] is made of. All are needed but BotFiles.
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
	// ReadyURL is where a service that runs with these settings answers on this
	// machine.
	ReadyURL string
	HTTP     *http.Client
	Clock    func() time.Time
}

// Doctor looks at one service's legs. It is for one Run.
type Doctor struct {
	Options
	http *http.Client

	// What one leg found and another one needs.
	running    bool // on this machine, with these settings
	events     []flow.Event
	hubVersion string
	hubSkew    time.Duration
	self       hub.User
	webErr     error // of the one call of GitHub's web address
	app        flow.App
	appErr     error
}

// New returns a Doctor. Redirects of the HTTP client are switched off: a leg
// that leads elsewhere is not the one asked for.
func New(o Options) *Doctor {
	plain := *o.HTTP
	plain.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Doctor{Options: o, http: &plain}
}

// leg is one thing to look at.
type leg struct {
	name string
	// after are legs without which this one cannot be looked at.
	after []string
	look  func(ctx context.Context) Finding
}

func (d *Doctor) legs() []leg {
	return append(append(d.localLegs(), d.hubLegs()...), d.gitHubLegs()...)
}

// Run looks at every leg and tells of each as soon as it is known.
func (d *Doctor) Run(ctx context.Context, tell func(Finding)) []Finding {
	var findings []Finding
	failed := map[string]bool{}
	for _, l := range d.legs() {
		finding := d.look(ctx, l, failed)
		finding.Check = l.name
		failed[l.name] = finding.Outcome == Fail || finding.Outcome == Skip
		findings = append(findings, finding)
		tell(finding)
	}
	return findings
}

func (d *Doctor) look(ctx context.Context, l leg, failed map[string]bool) Finding {
	for _, name := range l.after {
		if failed[name] {
			return Finding{Outcome: Skip, What: "Not looked at, because of " + name + "."}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, legLimit)
	defer cancel()
	return l.look(ctx)
}

// Well reports whether no leg failed.
func Well(findings []Finding) bool {
	for _, finding := range findings {
		if finding.Outcome == Fail {
			return false
		}
	}
	return true
}

// OfSettings are the findings where the settings cannot be read: no other leg
// can be looked at then.
func OfSettings(faults config.Faults) []Finding {
	findings := make([]Finding, len(faults))
	for i, fault := range faults {
		findings[i] = Finding{Check: "settings", Outcome: Fail, Fix: sentence(fault.Fix),
			What: sentence(fault.Setting + " (" + fault.Source + "): " + fault.Problem)}
	}
	return findings
}

func ok(what string) Finding        { return Finding{Outcome: OK, What: what} }
func warn(what, fix string) Finding { return Finding{Outcome: Warn, What: what, Fix: fix} }
func fail(what, fix string) Finding { return Finding{Outcome: Fail, What: what, Fix: fix} }
func skip(what string) Finding      { return Finding{Outcome: Skip, What: what} }
