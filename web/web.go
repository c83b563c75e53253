package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"
)

//go:embed templates static texts
var files embed.FS

// pages are the templates that must exist, beside layout.html and parts.html;
// "main" in layout.html chooses one of them by its name.
var pages = []string{
	string(None), string(Pending), string(Approved), string(Delivering), string(Connected),
	string(Expired), string(Denied), string(Cancelled), string(Failed), string(Unavailable),
	"error", "admin", "bots", "redirect", "confirm",
}

// Options are what a deployer sets.
type Options struct {
	// Prefix is JUPYTERHUB_SERVICE_PREFIX, with a slash at both ends.
	Prefix string
	// HubPrefix is the path of the Hub's own pages, such as /hub/, with a slash
	// at both ends.
	HubPrefix string
	// HubURL is the same for links, with the Hub's host where the service has one
	// of its own; empty: HubPrefix.
	HubURL string
	// HubName is who runs this Hub, for people; empty: it is not said.
	HubName string
	// GitHubHost is the host that people know, such as github.com.
	GitHubHost string
	// HelpURL is linked at the foot of the page; may be empty.
	HelpURL string
}

// Pages renders every page in every language. It is safe for concurrent use.
type Pages struct {
	options   Options
	assets    assets
	languages []*translation
	matcher   language.Matcher
	templates map[string]*template.Template // by language: all pages in one set
}

// New reads and checks all templates and texts.
func New(options Options) (*Pages, error) {
	if err := options.check(); err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	if options.HubURL == "" {
		options.HubURL = options.HubPrefix
	}
	translations, err := readTexts(files)
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	assets, err := readAssets(files)
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	p := &Pages{
		options:   options,
		assets:    assets,
		languages: translations,
		templates: make(map[string]*template.Template, len(translations)),
	}
	tags := make([]language.Tag, len(translations))
	for i, t := range translations {
		tags[i] = t.tag
		if p.templates[t.name], err = parse(t); err != nil {
			return nil, fmt.Errorf("web: %s: %w", t.name, err)
		}
	}
	p.matcher = language.NewMatcher(tags)
	return p, nil
}

func (o Options) check() error {
	var faults []error
	for name, path := range map[string]string{"Prefix": o.Prefix, "HubPrefix": o.HubPrefix} {
		if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || !strings.HasSuffix(path, "/") {
			faults = append(faults, fmt.Errorf("%s %q must be a path that begins and ends with one slash", name, path))
		}
	}
	if o.GitHubHost == "" {
		faults = append(faults, errors.New("GitHubHost is missing"))
	}
	for name, address := range map[string]string{"HubURL": o.HubURL, "HelpURL": o.HelpURL} {
		if u, err := url.Parse(address); err != nil || u.Scheme != "" && u.Scheme != "https" && u.Scheme != "http" {
			faults = append(faults, fmt.Errorf("%s %q must be a path or an http(s) address", name, address))
		}
	}
	return errors.Join(faults...)
}

func parse(t *translation) (*template.Template, error) {
	all, err := template.New("layout.html").Funcs(t.funcs()).ParseFS(files, "templates/*.html")
	if err != nil {
		return nil, err
	}
	for _, name := range pages {
		if all.Lookup(name) == nil {
			return nil, fmt.Errorf("templates/%s.html does not define %s", name, name)
		}
	}
	return all, nil
}

// Language chooses one of the page's languages by an Accept-Language header
// (RFC 9110, 12.5.4); English where none fits.
func (p *Pages) Language(acceptLanguage string) string {
	tags, _, err := language.ParseAcceptLanguage(acceptLanguage)
	if err != nil {
		return p.languages[0].name
	}
	_, index, confidence := p.matcher.Match(tags...)
	if confidence == language.No {
		index = 0
	}
	return p.languages[index].name
}

// document is what the templates see. Body is the view of the page.
type document struct {
	Options
	Lang    string
	CSS, JS string
	// Icon is the address of the page's icon.
	Icon     string
	Page     string
	TitleKey string
	User     string
	Admin    bool
	CSRF     string
	Now      time.Time
	// Refresh is after how many seconds a browser without script loads the page
	// again; 0: never.
	Refresh int
	// Version changes with what a fragment says, not with the time of day.
	Version string
	// Watch lets the script follow the state.
	Watch bool
	// RequestSent and LoadAgain are of one load of the page, and no part of a fragment.
	RequestSent, LoadAgain bool
	Body                   any
}

// With is the same document around something smaller, for a nested template.
func (d document) With(body any) document {
	d.Body = body
	return d
}

// Page writes the whole document of a user's page.
func (p *Pages) Page(w io.Writer, lang string, view View) error {
	doc, err := p.view(lang, view)
	if err != nil {
		return err
	}
	return p.render(w, "layout.html", doc)
}

// Fragment writes what is inside <main>, for the script to swap in. It carries
// no CSRF token, since any script on the origin can fetch it.
func (p *Pages) Fragment(w io.Writer, lang string, view View) error {
	doc, err := p.view(lang, view)
	if err != nil {
		return err
	}
	doc.CSRF = ""
	return p.render(w, "main", doc)
}

// Error writes a page that says what went wrong.
func (p *Pages) Error(w io.Writer, lang string, view ErrorView) error {
	doc := p.document(lang, "error", "error.title", &view)
	doc.User = view.User
	doc.Refresh = int(view.Retry.Round(time.Second).Seconds())
	return p.render(w, "layout.html", doc)
}

// Admin writes the admin's page.
func (p *Pages) Admin(w io.Writer, lang string, view AdminView) error {
	doc := p.document(lang, "admin", "admin.title", view)
	doc.User, doc.Admin, doc.CSRF, doc.Now = view.User, true, view.CSRF, view.Now
	return p.render(w, "layout.html", doc)
}

// Bots writes the page that says what bots may do, and did.
func (p *Pages) Bots(w io.Writer, lang string, view BotsView) error {
	doc := p.document(lang, "bots", "bots.title", view)
	doc.User, doc.Admin, doc.Now = view.User, true, view.Now
	return p.render(w, "layout.html", doc)
}

// Redirect writes the page that redirects a person to GitHub.
func (p *Pages) Redirect(w io.Writer, lang string, view RedirectView) error {
	u, err := url.Parse(view.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return errors.New("web: a page to redirect to must be an absolute http(s) address")
	}
	doc := p.document(lang, "redirect", "redirect.title", view)
	doc.User = view.User
	return p.render(w, "layout.html", doc)
}

// Confirm writes the page that asks a person to confirm their GitHub account.
func (p *Pages) Confirm(w io.Writer, lang string, view ConfirmView) error {
	doc := p.document(lang, "confirm", "confirm.title", view)
	doc.User, doc.CSRF, doc.Now = view.User, view.CSRF, view.Now
	return p.render(w, "layout.html", doc)
}

func (p *Pages) view(lang string, view View) (document, error) {
	if err := view.check(); err != nil {
		return document{}, err
	}
	sent, again := view.RequestSent, view.LoadAgain
	view.RequestSent, view.LoadAgain = false, false
	version, err := fingerprint(view)
	if err != nil {
		return document{}, fmt.Errorf("web: %w", err)
	}
	doc := p.document(lang, string(view.State), titleKey(view), view)
	doc.User, doc.Admin, doc.CSRF, doc.Now = view.User, view.Admin, view.CSRF, view.Now
	doc.Watch, doc.RequestSent, doc.LoadAgain = true, sent, again
	doc.Version = version
	if view.State == Connected && endsSoon(view) {
		doc.Icon = p.options.Prefix + "static/" + p.assets.soon
	}
	if live(view) || again {
		doc.Refresh = 5
	}
	return doc, nil
}

func (p *Pages) document(lang, page, titleKey string, body any) document {
	if p.templates[lang] == nil {
		lang = p.languages[0].name
	}
	return document{
		Options: p.options, Lang: lang, CSS: p.assets.css, JS: p.assets.js, Icon: p.options.HubPrefix + "static/favicon.ico",
		Page: page, TitleKey: titleKey, Body: body,
	}
}

// fingerprint is of all that a view says.
func fingerprint(view View) (string, error) {
	title := titleKey(view) // which depends on the time
	view.CSRF, view.Now = "", time.Time{}
	hash := sha256.New()
	if err := json.NewEncoder(hash).Encode([]any{title, view}); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)[:8]), nil
}

// render writes nothing unless the whole template could be executed.
func (p *Pages) render(w io.Writer, name string, doc document) error {
	if !slices.Contains(pages, doc.Page) {
		return fmt.Errorf("web: no page for the state %q", doc.Page)
	}
	var buffer bytes.Buffer
	if err := p.templates[doc.Lang].ExecuteTemplate(&buffer, name, doc); err != nil {
		return fmt.Errorf("web: %w", err)
	}
	_, err := buffer.WriteTo(w)
	return err
}
