package createapp

import (
	"encoding/json"
	"net/url"
)

// Options say which App is wanted.
type Options struct {
	// Name is what people read when they approve; GitHub lets it be changed on
	// the form. At most 34 characters.
	Name string
	// GitHub is the web address, Hub the Hub's public address, which ends in "/".
	GitHub, Hub *url.URL
	// Service is the service's name at the Hub.
	Service string
	// Organisation owns the App; empty: whoever sends the form.
	Organisation string
	// Private Apps are installed on their owner's account only.
	Private bool
	// Permissions are asked for beside those that pushing needs.
	Permissions map[string]string
}

// manifest is what GitHub documents under "GitHub App Manifest parameters".
type manifest struct {
	Name           string            `json:"name"`
	URL            string            `json:"url"`
	RedirectURL    string            `json:"redirect_url"`
	CallbackURLs   []string          `json:"callback_urls"`
	SetupURL       string            `json:"setup_url"`
	Description    string            `json:"description"`
	Public         bool              `json:"public"`
	Permissions    map[string]string `json:"default_permissions"`
	Events         []string          `json:"default_events"`
	OAuthOnInstall bool              `json:"request_oauth_on_install"`
	Hook           hook              `json:"hook_attributes"`
}

// hook needs an address even where nothing is sent to it.
type hook struct {
	URL    string `json:"url"`
	Active bool   `json:"active"`
}

// Manifest is the App as GitHub wants it described, with the address to which
// the browser brings the code.
func (o Options) Manifest(redirect string) (string, error) {
	permissions := map[string]string{"contents": "write", "metadata": "read"}
	for name, level := range o.Permissions {
		permissions[name] = level
	}
	encoded, err := json.Marshal(manifest{
		Name: o.Name, URL: o.Hub.String(), RedirectURL: redirect,
		SetupURL:     o.Hub.JoinPath("services", o.Service, "/").String(), // where people end who installed the App, or asked for it
		CallbackURLs: []string{o.Hub.JoinPath("services", o.Service, "github_callback").String()},
		Description:  "Lets people push from their Jupyter servers at " + o.Hub.Host + ".",
		Public:       !o.Private, Permissions: permissions, Events: []string{},
		Hook: hook{URL: o.Hub.String()},
	})
	return string(encoded), err
}

// FormURL is where the form goes. GitHub gives state back with the code.
func (o Options) FormURL(state string) string {
	target := o.GitHub.JoinPath("settings", "apps", "new")
	if o.Organisation != "" {
		target = o.GitHub.JoinPath("organizations", o.Organisation, "settings", "apps", "new")
	}
	if state != "" {
		target.RawQuery = url.Values{"state": {state}}.Encode()
	}
	return target.String()
}

// SettingsURL is the page of the App's settings.
func (o Options) SettingsURL(slug string) string {
	if o.Organisation != "" {
		return o.GitHub.JoinPath("organizations", o.Organisation, "settings", "apps", slug).String()
	}
	return o.GitHub.JoinPath("settings", "apps", slug).String()
}
