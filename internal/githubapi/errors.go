package githubapi

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
)

// statusError is an answer by its status, and by GitHub's own reason, which tells
// causes apart and goes to the log: no person gets it.
type statusError struct {
	status int
	reason string
}

func (e statusError) Error() string {
	text := fmt.Sprintf("GitHub answered %d %s", e.status, http.StatusText(e.status))
	if e.reason != "" {
		text += fmt.Sprintf(" (%.200q)", e.reason)
	}
	return text
}

// refusal is what GitHub answered to what it was asked; the zero value: nothing. An
// error that may pass is no answer to that, whatever its status: GitHub has a 403 for
// its limits as well.
func refusal(err error) statusError {
	var answer statusError
	if !apierror.IsRetryable(err) && errors.As(err, &answer) {
		return answer
	}
	return statusError{}
}

// statusOf is the status of a [refusal]; 0: there is none.
func statusOf(err error) int { return refusal(err).status }

// oauthFault is the error of an OAuth answer by its code, which is GitHub's
// word and not a person's: it goes to the log, quoted.
type oauthError string

func (e oauthError) Error() string { return fmt.Sprintf("GitHub answered the error %.60q", string(e)) }

func unreachable(err error) *apierror.Error {
	return &apierror.Error{Code: apierror.CodeGitHubUnreachable, Message: "GitHub cannot be reached at the moment.",
		Hint: "Nothing is lost; the service retries.", Retryable: true, Err: err}
}

func badAnswer(err error) *apierror.Error {
	return &apierror.Error{Code: apierror.CodeGitHubBadAnswer, Message: "GitHub's answer could not be understood.",
		Hint: "Nothing is lost; the service retries.", Retryable: true, Err: err}
}

func limited(wait time.Duration, err error) *apierror.Error {
	return &apierror.Error{Code: apierror.CodeGitHubLimited, Message: "GitHub asks this service to slow down.",
		Hint: "The service retries when GitHub allows it.", Retryable: true, RetryAfter: wait, Err: err}
}

func tokenDead(err error) *apierror.Error {
	return &apierror.Error{Code: apierror.CodeTokenDead, Message: "GitHub no longer accepts this token.",
		Hint: "Connect to GitHub again.", Err: err}
}

func refused(err error) *apierror.Error {
	return &apierror.Error{Code: apierror.CodeGitHubRefused, Message: "GitHub refused what was asked of it.",
		Hint: "An administrator finds the cause in the log of this service.", Err: err}
}

func misconfigured(hint string, err error) *apierror.Error {
	return &apierror.Error{Code: apierror.CodeAppMisconfigured, Message: "The GitHub App and this service do not fit together.",
		Hint: hint, Err: err}
}

// ofStatus is the error of an answer that is none of the expected ones.
func ofStatus(err statusError) *apierror.Error {
	status := err.status
	switch {
	case status >= 500 || status == http.StatusRequestTimeout:
		return unreachable(err)
	case status == http.StatusUnauthorized:
		return tokenDead(err)
	case status >= 300:
		return refused(err)
	}
	return badAnswer(err)
}

// ofOAuth is the error of an OAuth answer (RFC 6749, 5.2, and GitHub's own
// codes) that means the same wherever it comes.
func ofOAuth(code string) *apierror.Error {
	err := oauthError(code)
	switch code {
	case "Not Found":
		return &apierror.Error{Code: apierror.CodeAppUnknown, Message: "GitHub does not know the App of this service.",
			Hint: "An administrator must check the client id and the GitHub address in the settings of this service.", Err: err}
	case "device_flow_disabled":
		return &apierror.Error{Code: apierror.CodeDeviceFlowDisabled, Message: "The GitHub App does not allow the device flow.",
			Hint: `An administrator must tick "Enable Device Flow" in the settings of the GitHub App.`, Err: err}
	case "incorrect_client_credentials":
		return misconfigured("An administrator must check the client id and the client secret of the GitHub App.", err)
	case "redirect_uri_mismatch":
		return misconfigured("An administrator must enter this service's callback address in the settings of the GitHub App.", err)
	case "unsupported_grant_type":
		return misconfigured("An administrator must check that this GitHub version is supported.", err)
	case "unverified_user_email":
		return &apierror.Error{Code: apierror.CodeEmailUnverified, Message: "GitHub wants your primary e-mail address to be verified first.",
			Hint: "Verify it in your GitHub settings, then connect again.", Err: err}
	case "bad_verification_code":
		return &apierror.Error{Code: apierror.CodeCodeSpent, Message: "This approval was used already or has expired.",
			Hint: "Start again.", Err: err}
	case "bad_refresh_token":
		return tokenDead(err)
	case "server_error", "temporarily_unavailable":
		return unreachable(err)
	}
	return refused(err)
}
