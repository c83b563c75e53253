package deliver

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/hubapi"
)

const pullHint = "Where the image has the command ghscoped, “ghscoped setup” lets git ask this service, and no token is written."

// systemHint is for where nothing can be written that git reads for this user: there
// "ghscoped setup" could write nothing either.
const systemHint = "Where the image has the command ghscoped, an administrator can run “ghscoped setup --system” in it: git then asks this service, and nothing is written in the home."

// causes are the errors that the script names, with what to tell people.
var causes = map[string]apierror.Error{
	"home_missing":            {Message: "The server has no usable home folder.", Hint: pullHint},
	"home_not_owned":          {Message: "The home folder belongs to somebody else and cannot be written.", Hint: "An administrator can correct the owner of the home folder. " + systemHint},
	"read_only_home":          {Message: "The home folder is read-only, so nothing can be kept in it.", Hint: "If it could be written before, restart the server; else an administrator has to make it writable. " + systemHint},
	"disk_full":               {Message: "The disk that holds the home folder is full.", Hint: "Delete what you no longer need, then set it up again.", Retryable: true},
	"quota":                   {Message: "Your disk quota is used up.", Hint: "Delete what you no longer need, then set it up again.", Retryable: true},
	"permission_denied":       {Message: "A folder in the home does not allow writing.", Hint: "Allow it: “chmod u+rwx ~ ~/.config ~/.config/ghscoped”. If ~/.config belongs to somebody else, have a copy of your own: “mv ~/.config ~/.config.old && cp -R ~/.config.old ~/.config”. Then set it up again."},
	"symlink_refused":         {Message: "There is a symbolic link where the credential belongs.", Hint: "Remove it: “rm -rf ~/.config/ghscoped”, or what this Hub uses in its place. Then set it up again."},
	"foreign_owner":           {Message: "The file or folder where the credential belongs is owned by somebody else.", Hint: "Move it away: “mv ~/.config/ghscoped ~/.config/ghscoped.old”, or what this Hub uses in its place. If ~/.config belongs to somebody else, have a copy of your own: “mv ~/.config ~/.config.old && cp -R ~/.config.old ~/.config”. Then set it up again."},
	"shared_folder":           {Message: "Other users may write in the folder where the credential belongs, or in one above it.", Hint: "Take that permission away: “chmod go-w ~/.config ~/.config/ghscoped”, or from what this Hub uses in their place. Then set it up again. An administrator can choose a path in a folder of your own. " + pullHint},
	"not_a_file":              {Message: "There is something else where the credential, or a folder for it, belongs.", Hint: "Move it away: “mv ~/.config/ghscoped ~/.config/ghscoped.old”, or what this Hub uses in its place; if ~/.config is no folder, “mv ~/.config ~/.config.old”. Then set it up again."},
	"not_private":             {Message: "The file system of the home cannot keep a file private.", Hint: "An administrator can choose another path for the credential. " + pullHint},
	"git_config_not_a_file":   {Message: "What git reads as your configuration is not a file.", Hint: "It must be a file, and not a folder or a device such as /dev/null. If GIT_CONFIG_GLOBAL is set, have it name another, and restart the server; else move away what is there: “mv ~/.gitconfig ~/.gitconfig.old”. Then set it up again."},
	"git_config_off":          {Message: "Git reads no configuration of yours in this server: GIT_CONFIG_GLOBAL is set to nothing.", Hint: "Take that variable away, or have it name a file, then restart the server. " + systemHint},
	"git_config_not_writable": {Message: "The git configuration of this server cannot be written.", Hint: "If GIT_CONFIG_GLOBAL is set, have it name a file in a folder of yours, and restart the server. If ~/.gitconfig is a link, put a copy in its place: “cp ~/.gitconfig ~/.gitconfig.own; rm ~/.gitconfig; mv ~/.gitconfig.own ~/.gitconfig”. If it is a mount, “mv ~/.config/git ~/.config/git.old” lets git's other file be used. Else an administrator can run “ghscoped setup --system” in the image, where that has the command."},
	"git_config_damaged":      {Message: "The git configuration of this server holds characters that no text has.", Hint: `Take them out: “tr -d '\000' <~/.gitconfig >~/.gitconfig.own && mv ~/.gitconfig.own ~/.gitconfig”. Then set it up again.`},
	"git_config_busy":         {Message: "Something else is changing the git configuration, or git was stopped while it did.", Hint: "Deliver again. If no git runs in the server, remove its lock, which is beside the file that git writes: “rm ~/.gitconfig.lock”.", Retryable: true},
	"write_failed":            {Message: "The credential could not be written.", Hint: pullHint, Retryable: true},
	"input_cut":               {Message: "The server did not get the whole credential.", Hint: "Deliver again.", Retryable: true},
	"interrupted":             {Message: "The server stopped the delivery.", Hint: "Deliver again.", Retryable: true},
	apierror.CodeHelperCopies: {Message: "git gives a copy of the token to another helper of yours, which comes after this one.", Hint: "“git config --show-origin --get-all credential.helper” shows it. Take it out there, or set it in ~/.config/git/config instead; then set it up again. Disconnect has it erase its copies."},
	"no_shell":                {Message: "The server has no usable shell (sh), which git needs as well.", Hint: "An administrator can add one to the image, such as dash or bash."},
}

// isRemark reports whether an error of a conversation is something to know about a
// delivery that has succeeded.
func isRemark(err error) bool {
	said, ok := errors.AsType[*scriptError](err)
	return ok && said.code == apierror.CodeHelperCopies
}

// explain turns an error of a transport into one for people.
func explain(err error) error {
	var refused *apierror.Error
	if errors.As(err, &refused) { // the server did not prove itself, or the Hub could not be asked
		return refused
	}
	var said *scriptError
	if errors.As(err, &said) {
		cause, known := causes[said.code]
		if !known {
			cause = causes["write_failed"]
			said.code = "write_failed"
		}
		cause.Code, cause.Err = said.code, err
		return &cause
	}
	if errors.Is(err, errCutOff) {
		return &apierror.Error{Code: apierror.CodeDeliveryInterrupted, Message: "The server went away during the delivery.",
			Hint: "Deliver again when the server runs.", Retryable: true, Err: err}
	}
	return unreachable(err)
}

// unreachable explains an answer that the server, or the proxy before it, gave
// instead of doing what it was asked.
func unreachable(err error) error {
	switch status := hubapi.Status(err); {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return &apierror.Error{Code: apierror.CodeServerRefusedToken, Message: "The server did not accept your sign-in.",
			Hint: "Restart the server and deliver again. If that does not help, contact your Hub's administrators.", Err: err}
	case status == http.StatusFailedDependency, status == http.StatusServiceUnavailable, status >= 300 && status < 400:
		return &apierror.Error{Code: apierror.CodeServerNotReady, Message: "The server is not running yet, or no longer.",
			Hint: "The service retries when the server runs.", Retryable: true, Err: err}
	}
	return &apierror.Error{Code: apierror.CodeServerUnreachable, Message: "The server does not answer.",
		Hint: "The service retries; restarting the server may help.", Retryable: true, Err: err}
}

// noTransport explains why the server supports no transport.
func noTransport(refusals []*unsupportedError) error {
	var causes []error
	var reasons []string
	for _, refusal := range refusals {
		causes = append(causes, refusal)
		if !slices.Contains(reasons, refusal.reason) {
			reasons = append(reasons, refusal.reason)
		}
	}
	err := errors.Join(causes...)
	var said *scriptError
	if errors.As(err, &said) && said.code == "no_shell" {
		return explain(err)
	}
	if hubapi.Status(err) == http.StatusForbidden {
		return unreachable(err)
	}
	return &apierror.Error{Code: apierror.CodeNoWayIn, Message: "There is no way into this server: " + strings.Join(reasons, "; ") + ".",
		Hint: "An administrator can switch terminals on. " + pullHint, Err: err}
}

// outOfTime explains a context that ended.
func outOfTime(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return &apierror.Error{Code: apierror.CodeDeliveryInterrupted, Message: "The delivery was given up.",
			Hint: "Deliver again.", Retryable: true, Err: err}
	}
	return &apierror.Error{Code: apierror.CodeDeliveryTimeout, Message: "The server took too long.",
		Hint: "The service retries.", Retryable: true, Err: err}
}
