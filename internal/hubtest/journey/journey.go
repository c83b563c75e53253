package journey

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
)

// CredentialFile is where the service keeps the credential for the GitHub at an
// address, in a user's home.
func CredentialFile(home, github string) string {
	_, host, _ := strings.Cut(github, "://")
	return filepath.Join(home, ".config/ghscoped", strings.ReplaceAll(host, ":", "_"), "credential")
}

// Journey is one person's way. Make it with its exported fields set.
type Journey struct {
	Hub     *hubtest.Hub
	Browser *hubtest.Browser
	User    string // at the Hub

	GitHubURL string // the simulator, without a final slash
	AppURL    string // the App's page there
	Account   string // who the person is there
	Chosen    string // OWNER/NAME, the one repository the App is installed on
	Other     string // OWNER/NAME, a public one that is not chosen

	Code string // set when the page has shown it

	github      context.Context // the tab with the simulator's pages
	closeGitHub func()
	terminal    *hubtest.Terminal
}

// Step is one part of the journey, named as a person would.
type Step struct {
	Name string
	Do   func(context.Context) error
}

// stepLimit bounds one step; the longest waits for a server's start or for
// two polls of GitHub.
const stepLimit = hubtest.Patience

// Steps are the whole journey in order.
func (j *Journey) Steps() []Step {
	return []Step{
		{"sign in at the Hub", j.signIn},
		{"start the user's server", j.startServer},
		{`click "Connect GitHub" in the Services menu`, j.openFromMenu},
		{"consent", j.consent},
		{"press Connect and read the code", j.connect},
		{"enter the code at GitHub", j.enterCode},
		{"authorize it", j.authorize},
		{"choose one repository for the installation", j.install},
		{`wait for the page to turn to "connected" by itself`, j.waitConnected},
		{"open a terminal in the user's server", j.openTerminal},
		{"clone, commit and push to the chosen repository", j.pushChosen},
		{"see a push to another repository refused", j.pushOther},
		{"find the credential file at mode 0600", j.checkFile},
	}
}

// Run does the steps and calls passed after each. The error names the step.
func (j *Journey) Run(ctx context.Context, passed func(step string, took time.Duration)) error {
	for _, step := range j.Steps() {
		start := time.Now()
		limited, cancel := context.WithTimeout(ctx, stepLimit)
		err := step.Do(limited)
		cancel()
		if err != nil {
			return fmt.Errorf("FAILED at step %q: %w", step.Name, err)
		}
		passed(step.Name, time.Since(start))
	}
	return nil
}

func (j *Journey) signIn(ctx context.Context) error {
	return j.Browser.SignIn(ctx, j.Hub, j.User)
}

func (j *Journey) startServer(ctx context.Context) error {
	return j.Browser.Run(ctx,
		chromedp.Navigate(j.Hub.URL+"hub/home"),
		chromedp.Click(hubtest.HubStart, chromedp.NodeVisible),
		chromedp.WaitReady(serverPage),
	)
}

func (j *Journey) openFromMenu(ctx context.Context) error {
	if err := j.Browser.OpenServices(ctx, j.Hub); err != nil {
		return err
	}
	return j.Browser.Run(ctx,
		chromedp.Click(hubtest.HubMenuEntry, chromedp.NodeVisible),
		chromedp.WaitVisible(hubtest.HubConsent),
	)
}

func (j *Journey) consent(ctx context.Context) error {
	return j.Browser.Run(ctx, chromedp.Click(hubtest.HubConsent), chromedp.WaitReady(State))
}

func (j *Journey) connect(ctx context.Context) error {
	if err := j.Browser.Run(ctx, hubtest.Click(Connect), chromedp.WaitVisible(UserCode)); err != nil {
		return err
	}
	text, err := hubtest.Read(ctx, j.Browser.Tab(), chromedp.TextContent(UserCode))
	if err != nil {
		return err
	}
	j.Code = strings.Join(strings.Fields(text), "")
	if len(j.Code) != len("XXXX-XXXX") {
		return fmt.Errorf("the page shows %q as the code", text)
	}
	return nil
}

func (j *Journey) enterCode(ctx context.Context) (err error) {
	if j.github, j.closeGitHub, err = j.Browser.ClickToTab(ctx, OpenGitHub); err != nil {
		return err
	}
	return EnterCode(ctx, j.github, j.Account, j.Code)
}

func (j *Journey) authorize(ctx context.Context) error {
	return Authorize(ctx, j.github)
}

func (j *Journey) install(ctx context.Context) error {
	err := hubtest.RunIn(ctx, j.github,
		chromedp.Navigate(j.AppURL),
		chromedp.Click(simInstall, chromedp.NodeVisible),
		chromedp.Click(simAccount(j.Account), chromedp.NodeVisible),
		chromedp.Click(simSelectSome, chromedp.NodeVisible),
		chromedp.Click(simRepository(j.Chosen)),
		chromedp.Click(simSave),
		chromedp.WaitVisible(simInstalled),
	)
	if err == nil {
		j.closeGitHub()
	}
	return err
}

// waitConnected touches nothing: the page has to change without a reload.
func (j *Journey) waitConnected(ctx context.Context) error {
	if err := j.Browser.Run(ctx, chromedp.WaitVisible(final)); err != nil {
		return err
	}
	state, err := hubtest.Read(ctx, j.Browser.Tab(), chromedp.AttributeValue(State, "data-state"))
	if err != nil {
		return err
	}
	if state.Value != "connected" {
		text, err := j.Browser.Text(ctx, State)
		return fmt.Errorf("the page says %s: %s (%v)", state.Value, text, err)
	}
	return nil
}

func (j *Journey) openTerminal(ctx context.Context) (err error) {
	j.terminal, err = j.Hub.OpenTerminal(ctx, j.User, "")
	return err
}

func (j *Journey) pushChosen(ctx context.Context) error {
	out, status, err := j.push(ctx, j.Chosen)
	if err == nil && status != 0 {
		err = fmt.Errorf("git push ended with status %d:\n%s", status, out)
	}
	return err
}

func (j *Journey) pushOther(ctx context.Context) error {
	out, status, err := j.push(ctx, j.Other)
	if err != nil {
		return err
	}
	if status == 0 || !strings.Contains(out, "403") {
		return fmt.Errorf("git push should have been refused with 403, but ended with status %d:\n%s", status, out)
	}
	return nil
}

// push clones a repository, adds a commit and pushes, as a person does in an empty
// home. The output and status are those of git push; before that nothing may fail.
func (j *Journey) push(ctx context.Context, repository string) (string, int, error) {
	folder := filepath.Base(repository)
	for _, line := range []string{
		fmt.Sprintf("git clone -q %s/%s.git", j.GitHubURL, repository),
		fmt.Sprintf("echo 'from my server' >>%s/note.txt && git -C %[1]s add note.txt", folder),
		// The name comes with the connection, not from the account of this machine.
		fmt.Sprintf("git -C %s -c user.useConfigOnly=true commit -qm 'A note'", folder),
	} {
		if out, status, err := j.terminal.Run(ctx, line); err != nil || status != 0 {
			return "", 0, fmt.Errorf("%s: status %d, %v:\n%s", line, status, err, out)
		}
	}
	return j.terminal.Run(ctx, fmt.Sprintf("git -C %s push", folder))
}

func (j *Journey) checkFile(context.Context) error {
	path := CredentialFile(j.Hub.Home(j.User), j.GitHubURL)
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode() != 0o600 {
		return fmt.Errorf("%s has mode %v", path, info.Mode())
	}
	return nil
}

// Leave disconnects on the service's page and waits until it says so.
func (j *Journey) Leave(ctx context.Context) error {
	return j.Browser.Run(ctx,
		chromedp.Navigate(j.Hub.ServiceURL),
		hubtest.Click(Disconnect),
		hubtest.Click(ConfirmDisconnect),
		chromedp.WaitVisible(NotConnected),
	)
}
