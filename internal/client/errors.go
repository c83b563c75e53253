package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
)

// Codes of this package's own errors; the others are the service's
// (internal/apierror).
const (
	CodeUnreachable   = "service_unreachable"
	CodeNotTheService = "not_the_service"
)

// BadTokenHint is what to do where the Hub does not know a server's token.
const BadTokenHint = "Open a new terminal in JupyterLab: one in tmux or screen keeps the token of the server that it was begun in. If that does not help, restart your server from the Hub's home page."

// Error is why the service did not do what it was asked: for programs (Code),
// for a person (Message), and what can be done (Hint).
type Error struct {
	// Status is that of the HTTP answer; 0: there was none.
	Status  int    `json:"-"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Err     error  `json:"-"`
	// Retryable says that the same may work later, after RetryAfter; 0: nobody named
	// a time.
	Retryable  bool          `json:"-"`
	RetryAfter time.Duration `json:"-"`
}

func (e *Error) Error() string {
	if e.Err == nil {
		return e.Code + ": " + e.Message
	}
	return e.Code + ": " + e.Message + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Is reports whether err is an [*Error] with this code.
func Is(err error, code string) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}

func unreachable(err error) *Error {
	return &Error{Code: CodeUnreachable, Message: "The service “Connect GitHub” of this Hub does not answer.",
		Hint: "Try again in a moment; ghscoped doctor says more.", Err: err, Retryable: true}
}

func notTheService(status int, err error) *Error {
	return &Error{Status: status, Code: CodeNotTheService, Message: "What answers is not the service “Connect GitHub”.",
		Hint: "Check GHSCOPED_URL; ghscoped doctor says more.", Err: err}
}

// ofAnswer reads the service's own error. An answer without one comes from
// something on the way: a proxy that has lost the service, or a Hub without it.
func ofAnswer(answer *http.Response) *Error {
	var body struct {
		Error Error `json:"error"`
	}
	text, _ := io.ReadAll(io.LimitReader(answer.Body, maxBody)) // a part of it is no JSON and said below
	err := fmt.Errorf("it answered %s", answer.Status)
	if json.Unmarshal(text, &body) != nil || body.Error.Code == "" {
		if answer.StatusCode >= http.StatusInternalServerError {
			return unreachable(err)
		}
		return notTheService(answer.StatusCode, err)
	}
	known := body.Error
	known.Status, known.Err = answer.StatusCode, err
	if wait, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && answer.StatusCode == http.StatusServiceUnavailable {
		known.Retryable, known.RetryAfter = true, time.Duration(wait)*time.Second
	}
	if known.Code == apierror.CodeNotFound {
		known.Message, known.Hint = "The service is older than this program and cannot do that.", "Contact your Hub's administrators."
	}
	return &known
}

// forServers says what is wrong with a Hub token to a user, whose server has it.
func (e *Error) forServers() {
	switch e.Code {
	case apierror.CodeNoAccess:
		e.Message = "This server's token does not allow access to the service “Connect GitHub”."
		e.Hint = "An administrator of the Hub must add access:services!service=connect-github to the role “server”; then restart your server."
	case apierror.CodeBadToken:
		e.Message = "The Hub does not know this server's token (any more)."
		e.Hint = BadTokenHint
	}
}
