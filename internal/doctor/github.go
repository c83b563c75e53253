package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/check"
	"github.com/ghscoped/ghscoped-service/internal/github"
)

// maxSkew is how far apart clocks may be.
const maxSkew = time.Minute

func (d *Doctor) gitHubChecks() []checker {
	return []checker{
		{"github-web", nil, d.gitHubWeb},
		{"device-flow", []string{"github-web"}, d.deviceFlow},
		{"client-secret", []string{"github-web"}, d.clientSecret},
		{"github-api", nil, d.gitHubAPI},
		{"app-key", []string{"github-api"}, d.appKey},
		{"app-public", []string{"github-api"}, d.appPublic},
		{"permissions", []string{"github-api"}, d.permissions},
		{"issuers", nil, d.issuers},
		{"token-expiry", []string{"store"}, d.tokenExpiry},
		{"clock", nil, d.clock},
	}
}

// ofError repeats what an error says to people.
func ofError(err error) check.Result {
	var own *apierror.Error
	if errors.As(err, &own) {
		return check.Failed(own.Message, own.Hint)
	}
	return check.Failed(sentence(err.Error()), "")
}

// gitHubWeb asks for a device code, as every connection does.
func (d *Doctor) gitHubWeb(ctx context.Context) check.Result {
	_, d.webErr = d.GitHub.DeviceCode(ctx)
	web := d.Config.GitHub.URL.String()
	switch apierror.CodeOf(d.webErr) {
	case apierror.CodeGitHubUnreachable:
		return check.Failed("GitHub does not answer at "+web+".", "Let this machine reach it (firewall, proxy, certificate), or correct GHSCOPED_GITHUB_URL.")
	case apierror.CodeGitHubBadAnswer:
		return check.Failed("What answers at "+web+" is not GitHub.", "Correct GHSCOPED_GITHUB_URL; a proxy in between must leave it alone.")
	case apierror.CodeGitHubLimited:
		return check.Warned("GitHub at "+web+" asks for a pause.", "Try again in some minutes.")
	}
	return check.Passed("GitHub answers at " + web + ".")
}

func (d *Doctor) deviceFlow(context.Context) check.Result {
	client := d.Config.GitHub.ClientID
	switch apierror.CodeOf(d.webErr) {
	case "":
		return check.Passed("The App " + client + " gives device codes. (The one that was asked for is entered by nobody.)")
	case apierror.CodeAppUnknown:
		return check.Failed("GitHub knows no App with the client id "+client+".", "Correct GHSCOPED_CLIENT_ID: it is on the App's settings page, and begins with Iv.")
	case apierror.CodeDeviceFlowDisabled:
		return check.Failed("The App does not allow the device flow.", `Tick "Enable Device Flow" on the App's settings page, and save.`)
	case apierror.CodeGitHubLimited:
		return check.Skipped("Not checked: GitHub asks for a pause.")
	}
	return ofError(d.webErr)
}

// clientSecret spends a code that was never given: GitHub looks at the secret
// first.
func (d *Doctor) clientSecret(ctx context.Context) check.Result {
	if d.Config.GitHub.ClientSecret.Value.Empty() {
		return check.Passed("None is configured: codes are typed, and revoked tokens are reported to their owners by GitHub's e-mail.")
	}
	if apierror.CodeOf(d.webErr) == apierror.CodeAppUnknown {
		return check.Skipped("Not checked, because of device-flow.")
	}
	_, err := d.GitHub.Exchange(ctx, "doctor", "doctor-doctor-doctor-doctor-doctor-doctor-doctor", "")
	switch apierror.CodeOf(err) {
	case apierror.CodeCodeSpent:
		return check.Passed("GitHub takes it. Whether the callback address is registered shows when somebody signs in by the web flow.")
	case apierror.CodeAppMisconfigured:
		return check.Failed("GitHub does not take the client secret.", "Make a new one on the App's settings page, and put it into the file of GHSCOPED_CLIENT_SECRET_FILE.")
	case "":
		return check.Warned("GitHub took a code that it never gave.", "")
	}
	return check.Warned("It could not be tried: "+err.Error(), "Try again.")
}

// gitHubAPI asks for the App as anybody sees it.
func (d *Doctor) gitHubAPI(ctx context.Context) check.Result {
	d.app, d.appErr = d.GitHub.PublicApp(ctx)
	api := d.Config.GitHub.APIURL.String()
	switch apierror.CodeOf(d.appErr) {
	case apierror.CodeGitHubUnreachable:
		return check.Failed("GitHub's API does not answer at "+api+".", "Let this machine reach it, or correct GHSCOPED_GITHUB_URL.")
	case apierror.CodeGitHubBadAnswer, apierror.CodeGitHubRefused:
		return check.Failed("What answers at "+api+" is not GitHub's API.", "Correct GHSCOPED_GITHUB_URL: a GitHub Enterprise Server has its API at /api/v3.")
	case apierror.CodeGitHubLimited:
		return check.Warned("GitHub's API at "+api+" asks for a pause.", "Try again in an hour: 60 calls an hour are free from one address.")
	}
	return check.Passed("GitHub's API answers at " + api + ".")
}

// appKey tries the App's private key, where there is one.
func (d *Doctor) appKey(ctx context.Context) check.Result {
	if d.Config.Bot.PrivateKey.Path == "" {
		return check.Passed("None is configured: no bot tokens.")
	}
	app, err := d.GitHub.OwnApp(ctx)
	switch {
	case apierror.NoAnswer(apierror.CodeOf(err)):
		return check.Warned("It could not be tried.", "Try again.")
	case err != nil:
		return ofError(err)
	}
	if d.appErr != nil { // what nobody else may see, its own key shows
		d.app = app
	}
	return check.Passed("GitHub takes it as that of the App " + app.Slug + ".")
}

// issuers reads the keys with which the tokens of workloads are signed.
func (d *Doctor) issuers(ctx context.Context) check.Result {
	if d.Issuers == nil {
		return check.Passed("None are configured: no identity tokens are taken.")
	}
	if err := d.Issuers(ctx); err != nil {
		return check.Failed(sentence("These do not say their keys: "+strings.ReplaceAll(err.Error(), "\n", "; ")),
			"Let this machine reach them (firewall, proxy, GHSCOPED_BOT_ISSUERS_CA_FILE), or correct GHSCOPED_BOT_ISSUERS.")
	}
	return check.Passed(fmt.Sprintf("Each of %d says its keys.", len(d.Config.Bot.Issuers)))
}

func (d *Doctor) appPublic(context.Context) check.Result {
	page := d.Config.GitHub.AppURL.String()
	const settings = `On the App's settings page, Advanced: "Make public", unless all repositories belong to the App's owner; or correct GHSCOPED_APP_URL.`
	switch {
	case apierror.NoAnswer(apierror.CodeOf(d.appErr)):
		return check.Skipped("Not checked: GitHub asks for a pause.")
	case apierror.CodeOf(d.appErr) == apierror.CodeAPINeedsLogin:
		return check.Warned("This GitHub shows "+page+" only to people who are signed in.", "Open it in a browser.")
	case apierror.CodeOf(d.appErr) == apierror.CodeAppNotPublic && d.app.Slug != "":
		return check.Warned("The App is private: it can be installed on its owner's account only.", settings)
	case apierror.CodeOf(d.appErr) == apierror.CodeAppNotPublic:
		return check.Failed("The App at "+page+" is private, or there is none.", settings)
	case d.appErr != nil:
		return ofError(d.appErr)
	case d.app.ClientID != "" && d.app.ClientID != d.Config.GitHub.ClientID:
		return check.Failed(page+" is another App: its client id is "+d.app.ClientID+".", "Let GHSCOPED_APP_URL and GHSCOPED_CLIENT_ID name the same App.")
	}
	return check.Passed("Everybody can install it from " + page + ".")
}

// pushing are the permissions that pushing may need.
var pushing = []string{"contents", "metadata", "pull_requests", "workflows"}

func (d *Doctor) permissions(context.Context) check.Result {
	if d.app.Slug == "" {
		return check.Skipped("Not checked: GitHub shows them of public Apps only.")
	}
	if level := d.app.Permissions["contents"]; level != "write" {
		return check.Failed(fmt.Sprintf("The App may not push: its permission for Contents is %q.", level),
			`On the App's settings page, "Permissions & events": Repository permissions, Contents, "Read and write". Whoever has installed it must then agree.`)
	}
	more := slices.DeleteFunc(slices.Sorted(maps.Keys(d.app.Permissions)), func(name string) bool { return slices.Contains(pushing, name) })
	if len(more) > 0 && d.Config.Bot.Policy == "" {
		return check.Warned("The App may do more than pushing needs: "+strings.Join(more, ", ")+".", "Take them away on the App's settings page, unless you know what for.")
	}
	return check.Passed("The App may do what pushing needs: " + strings.Join(github.ListPermissions(d.app.Permissions), ", ") + ".")
}

// tokenExpiry: GitHub shows the switch to nobody but the App's owner. What can
// be seen is what came of earlier connections.
func (d *Doctor) tokenExpiry(context.Context) check.Result {
	if d.held() {
		return check.Result{State: check.Skip, Message: "Not to be seen while the service runs, since its store is open to it alone.",
			Fix: `Look into the audit, or at the admin's page: "flow_finished" with the outcome "connected" says that it is on, the code "token_never_expires" that it is off. Or run this while the service is stopped.`}
	}
	const on = `Keep "User-to-server token expiration" switched on: App's settings page, Optional features.`
	for _, event := range d.events { // the newest first
		switch {
		case event.Code == apierror.CodeTokenNeverExpires:
			return check.Failed("A token that GitHub gave on "+event.Time.Format(time.DateOnly)+" would never have expired, and was refused.",
				`Switch "User-to-server token expiration" on: App's settings page, Optional features. It is on for new Apps.`)
		case event.Action == "flow_finished" && event.Outcome == "connected": // in pull mode nothing is delivered
			return check.Passed("On: the token of " + event.Time.Format(time.DateOnly) + " had an expiry.")
		}
	}
	return check.Warned("Not to be seen before somebody has connected. The service refuses tokens that never expire.", on)
}

func (d *Doctor) clock(context.Context) check.Result {
	hub, gitHub := d.hubSkew, d.GitHub.Skew()
	hubOff, gitHubOff := hub.Abs() > maxSkew, gitHub.Abs() > maxSkew
	const ntp = "Let the machine keep its time by NTP."
	switch {
	case gitHubOff && hubOff:
		return check.Failed("The clock of this machine is "+off(-gitHub)+" GitHub's.", ntp)
	case gitHubOff:
		return check.Failed("The clock of this machine is "+off(-gitHub)+" GitHub's, as is the Hub's.", ntp)
	case hubOff:
		return check.Failed("The Hub's clock is "+off(hub)+" that of this machine.", "Let the Hub's machine keep its time by NTP.")
	}
	return check.Passed("This machine, the Hub and GitHub agree to the minute, as far as they answered.")
}

func off(ahead time.Duration) string {
	if ahead < 0 {
		return fmt.Sprintf("%v behind", (-ahead).Round(time.Second))
	}
	return fmt.Sprintf("%v ahead of", ahead.Round(time.Second))
}
