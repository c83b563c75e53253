package server

import (
	_ "embed"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/github"
)

//go:embed openapi.yaml
var openAPI []byte

func (s *Server) openAPI(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/yaml")
	_, err := w.Write(openAPI)
	return err
}

// flowAnswer is a flow as callers see it: never a device code or a token.
type flowAnswer struct {
	ID              string     `json:"id"`
	Mode            flow.Mode  `json:"mode"`
	State           flow.State `json:"state"`
	UserCode        string     `json:"user_code,omitempty"`
	VerificationURI string     `json:"verification_uri,omitempty"`
	ExpiresAt       time.Time  `json:"expires_at"`
	Interval        int        `json:"interval,omitempty"` // seconds
	// Web: the page offers the web flow, too, while this one is pending.
	Web   bool            `json:"web,omitempty"`
	Error *apierror.Error `json:"error,omitempty"`
}

// answerFlow says of a flow what its caller may know. The code is for whoever began
// the flow: a program that read a browser's could have it approved by another
// account, and a person would take a program's for their own.
func (s *Server) answerFlow(f *flow.Flow, to flow.Caller) flowAnswer {
	answer := flowAnswer{ID: f.ID, Mode: f.Mode, State: f.State, ExpiresAt: f.ExpiresAt.UTC(),
		Interval: int(f.Interval.Seconds()), Error: f.Error}
	if f.State == flow.Pending && f.BegunBy(to) {
		answer.UserCode, answer.VerificationURI, answer.Web = f.UserCode, f.VerificationURI, s.webFlow
	}
	return answer
}

func (s *Server) getFlow(w http.ResponseWriter, r *http.Request, c caller) error {
	user, err := s.flows.Of(r.Context(), c.forFlow())
	if err != nil {
		return err
	}
	if user.Flow == nil {
		return errNoFlow
	}
	writeJSON(w, http.StatusOK, s.answerFlow(user.Flow, c.forFlow()))
	return nil
}

func (s *Server) postFlow(w http.ResponseWriter, r *http.Request, c caller) error {
	var body struct {
		Mode    flow.Mode `json:"mode"`
		Servers []string  `json:"servers"`
	}
	if err := readJSON(r, &body); err != nil {
		return err
	}
	if body.Mode != "" && body.Mode != flow.Device { // the web flow needs a browser that goes to GitHub
		return errBody
	}
	user, created, err := s.flows.Start(r.Context(), c.forFlow(), flow.Request{Servers: body.Servers})
	if err != nil {
		return err
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	writeJSON(w, status, s.answerFlow(user.Flow, c.forFlow()))
	return nil
}

func (s *Server) deleteFlow(w http.ResponseWriter, r *http.Request, c caller) error {
	user, err := s.flows.Cancel(r.Context(), c.forFlow())
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, s.answerFlow(user.Flow, c.forFlow()))
	return nil
}

type connectionAnswer struct {
	Login     string    `json:"login"`
	ExpiresAt time.Time `json:"expires_at"`
	// Refreshed: it is prolonged before that, while a server runs.
	Refreshed        bool               `json:"refreshed,omitempty"`
	Access           github.AccessState `json:"access"`
	Repositories     []repositoryAnswer `json:"repositories"`
	InstallationsURL string             `json:"installations_url,omitempty"`
	FixURL           string             `json:"fix_url,omitempty"`
	Missing          []missingAnswer    `json:"missing,omitempty"`
	Deliveries       []deliveryAnswer   `json:"deliveries"`
	// Servers are those that may have the token; nil: any of the user's.
	Servers []string `json:"servers,omitzero"`
	// Program is the server in which a program began what the person has not
	// confirmed.
	Program *string `json:"program,omitempty"`
	// Git is what git should call the person where they have no name there; nil:
	// that is left alone.
	Git *gitIdentityAnswer `json:"git,omitempty"`
}

type repositoryAnswer struct {
	FullName string `json:"full_name"`
	Push     bool   `json:"push"`
	Archived bool   `json:"archived,omitempty"`
}

type missingAnswer struct {
	Account string             `json:"account,omitempty"`
	Access  github.AccessState `json:"access"`
	FixURL  string             `json:"fix_url,omitempty"`
}

type deliveryAnswer struct {
	Server string             `json:"server"`
	State  flow.DeliveryState `json:"state"`
	Method string             `json:"method,omitempty"`
	Error  *apierror.Error    `json:"error,omitempty"`
}

// tokenRecheckAge is how old the look at what the token reaches may be when a
// program asks. Git's helper does so after GitHub has refused the token: one
// that is dead is then dropped.
const tokenRecheckAge = 5 * time.Second

func (s *Server) getConnection(w http.ResponseWriter, r *http.Request, c caller) error {
	if c.holder != nil {
		if err := s.flows.Recheck(r.Context(), c.forFlow(), tokenRecheckAge); err != nil {
			return err
		}
	}
	user, err := s.flows.Of(r.Context(), c.forFlow())
	if err != nil {
		return err
	}
	if user.Connection != nil {
		if err := user.Connection.Shown(c.forFlow()); err != nil {
			return err
		}
	}
	return s.writeConnection(w, http.StatusOK, user)
}

func (s *Server) writeConnection(w http.ResponseWriter, status int, user *flow.User) error {
	connection := user.Connection
	if connection == nil {
		return refuse(apierror.CodeNotConnected, "You are not connected to GitHub.", "Open “Connect GitHub” in the Services menu.")
	}
	answer := connectionAnswer{
		Login: connection.Account.Login, ExpiresAt: connection.Token.ExpiresAt.UTC(), Access: connection.Access.State,
		Refreshed:        s.refresh && connection.RefreshError == nil && !connection.Token.Refresh.Empty(),
		InstallationsURL: s.installURL(), FixURL: connection.Access.Fix,
		Repositories: []repositoryAnswer{}, Deliveries: []deliveryAnswer{}, Program: connection.Program,
	}
	if !connection.AnyServer {
		answer.Servers = append([]string{}, connection.Servers...)
	}
	answer.Git = s.author(connection)
	for _, repository := range connection.Access.Repositories {
		answer.Repositories = append(answer.Repositories, repositoryAnswer{repository.FullName, repository.Push, repository.Archived})
	}
	for _, m := range connection.Access.Missing {
		answer.Missing = append(answer.Missing, missingAnswer{m.Account, m.State, m.Fix})
	}
	for _, d := range user.Deliveries {
		answer.Deliveries = append(answer.Deliveries, deliveryAnswer{d.Server, d.State, d.Method, d.Error})
	}
	writeJSON(w, status, answer)
	return nil
}

func (s *Server) deleteConnection(w http.ResponseWriter, r *http.Request, c caller) error {
	if _, err := s.flows.Disconnect(r.Context(), c.forFlow()); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) postDelivery(w http.ResponseWriter, r *http.Request, c caller) error {
	if c.session == nil {
		return refuse(apierror.CodeSessionOnly, "A server's token cannot have the credential delivered.",
			"Open “Connect GitHub” in the browser, or ask for the credential itself.")
	}
	var body struct {
		Server  string   `json:"server"`
		Servers []string `json:"servers"`
		Start   bool     `json:"start"`
	}
	if err := readJSON(r, &body); err != nil {
		return err
	}
	if body.Servers == nil {
		body.Servers = []string{body.Server}
	}
	user, err := s.flows.Deliver(r.Context(), c.forFlow(), body.Servers, body.Start && s.canStart)
	if err != nil {
		return err
	}
	return s.writeConnection(w, http.StatusAccepted, user)
}

// readJSON takes one JSON object and nothing else; an empty body counts as {}.
func readJSON(r *http.Request, into any) error {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == nil {
		_, err = decoder.Token() // of what follows
	}
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case tooLarge(err):
		return errTooLarge
	}
	return errBody
}
