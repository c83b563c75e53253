package journey

import (
	"fmt"

	"github.com/chromedp/chromedp"
)

// The service's page. The element #state says in data-state what the page shows.
const (
	State      = chromedp.CSS("#state")
	Connect    = chromedp.CSS("#connect")
	UserCode   = chromedp.CSS("#user-code")
	OpenGitHub = chromedp.CSS("#open-github")
	Disconnect = chromedp.CSS("#disconnect")
	Asking     = chromedp.CSS("#asking") // a program has a code, which the page does not show

	// The page that GitHub brings a person back to, the first time.
	Confirm       = chromedp.CSS("#confirm")
	GitHubAccount = chromedp.CSS("#github-account")
	HubUser       = chromedp.CSS("#hub-user")
	NotYou        = chromedp.CSS("#cancel")
	// The page that says that cookies do not belong together.
	SignInAgain = chromedp.CSS("#sign-in")

	ConfirmDisconnect = chromedp.CSS("#confirm-disconnect")
	NotConnected      = chromedp.CSS("#state[data-state=none]")
	Connected         = chromedp.CSS("#state[data-state=connected]")
)

// final selects #state once nothing more happens by itself.
const final = chromedp.CSS(`#state:is([data-state=connected],[data-state=expired],[data-state=denied],[data-state=cancelled],[data-state=failed])`)

// The simulator's pages.
const (
	simCode       = chromedp.CSS("#user-code")
	simContinue   = chromedp.CSS("#continue")
	SimAuthorize  = chromedp.CSS("#authorize")
	SimContinueAs = chromedp.CSS("#continue-as") // of the account picker
	simDone       = chromedp.CSS("#device-done")
	simInstall    = chromedp.CSS("#install")
	simSelectSome = chromedp.CSS("#select-some")
	simSave       = chromedp.CSS("#save")
	simInstalled  = chromedp.CSS("#installation-form")
)

// SimSignIn is the button that signs an account in.
func SimSignIn(login string) chromedp.CSS { return chromedp.CSS("#signin-" + login) }

func simAccount(login string) chromedp.CSS { return chromedp.CSS("#account-" + login) }

func simRepository(name string) chromedp.CSS {
	return chromedp.CSS(fmt.Sprintf(`input[data-repo=%q]`, name))
}

// A user's server, when it shows JupyterLab or the classic Notebook.
const serverPage = chromedp.CSS("#jupyter-config-data, #notebook_list")
