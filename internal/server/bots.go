package server

import (
	"errors"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/bot"
	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/hubauth"
	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/workload"
)

// maxBotRequest bounds a request for a bot's token, in bytes: more than 500
// names of the longest kind, so that too many are reported as such.
const maxBotRequest = 256 << 10

var (
	errNoBots = refuse(apierror.CodeBotsOff, "This service gives no bot tokens.",
		"An administrator enables them with GHSCOPED_APP_PRIVATE_KEY_FILE and GHSCOPED_BOT_POLICY.")
	errNoIssuers = refuse(apierror.CodeIdentityIssuer, "This service takes no identity tokens.",
		"An administrator names their issuers in GHSCOPED_BOT_ISSUERS.")
	errNoCaller = refuse(apierror.CodeNoCaller, "The Hub does not say whose token this is.",
		"Use the token of a Hub service or of a user's server.")
)

// botHandler is a handler that knows which bot calls.
type botHandler func(w http.ResponseWriter, r *http.Request, c bot.Caller) error

// bots wraps a handler for the holder of a Hub token, a service's or a user's, and
// for a workload with an identity token. A browser's session is refused: any script on
// this origin could use it.
func (s *Server) bots(next botHandler) http.HandlerFunc {
	return s.handle(func(w http.ResponseWriter, r *http.Request) error {
		if s.issuer == nil {
			return errNoBots
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBotRequest)
		token := hubauth.BearerToken(r)
		if token.Empty() {
			return errTokenOnly
		}
		caller, err := s.caller(r, token)
		if err != nil {
			return err
		}
		return next(w, r, caller)
	})
}

func (s *Server) caller(r *http.Request, token secret.String) (bot.Caller, error) {
	if workload.Resembles(token) {
		return s.workload(r, token)
	}
	holder, err := s.holder(r, token, !reads(r.Method))
	if err != nil {
		return bot.Caller{}, err
	}
	if holder.Name == "" || (holder.Kind != bot.Service && holder.Kind != bot.User) {
		return bot.Caller{}, errNoCaller
	}
	return bot.Caller{Kind: holder.Kind, Name: holder.Name, Groups: holder.Groups}, nil
}

// workload is who shows an identity token. That one is not taken goes into the audit.
func (s *Server) workload(r *http.Request, token secret.String) (bot.Caller, error) {
	if s.workloads == nil {
		return bot.Caller{}, errNoIssuers
	}
	who, err := s.workloads.Verify(r.Context(), token)
	if err != nil {
		return bot.Caller{}, s.issuer.Unidentified(r.Context(), err, requestID(r))
	}
	return bot.Caller{Kind: who.Kind, Name: who.Name, Part: who.Part, Claims: who.Claims}, nil
}

// holder is who shows a Hub token that allows access to this service.
func (s *Server) holder(r *http.Request, token secret.String, fresh bool) (hub.User, error) {
	holder, err := s.auth.Holder(r, token, fresh)
	if errors.Is(err, hubauth.ErrSignedOut) {
		return hub.User{}, errBadToken
	}
	return holder, err
}

type botTokenAnswer struct {
	Token        string            `json:"token"`
	ExpiresAt    time.Time         `json:"expires_at"`
	Repositories []string          `json:"repositories"`
	Permissions  map[string]string `json:"permissions"`
	Git          gitIdentityAnswer `json:"git"`
}

// gitIdentityAnswer is the author of commits.
type gitIdentityAnswer struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

func (s *Server) postBotToken(w http.ResponseWriter, r *http.Request, c bot.Caller) error {
	var body struct {
		Repositories []string          `json:"repositories"`
		Permissions  map[string]string `json:"permissions"`
		Exclusive    bool              `json:"exclusive"`
		Fresh        bool              `json:"fresh"`
	}
	if err := readJSON(r, &body); err != nil {
		return err
	}
	request := bot.Request{Repositories: body.Repositories, Permissions: body.Permissions, Exclusive: body.Exclusive, Fresh: body.Fresh}
	token, err := s.issuer.Issue(r.Context(), c, request, requestID(r))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, botTokenAnswer{
		Token: token.Token.Reveal(), ExpiresAt: token.ExpiresAt.UTC(), Repositories: token.Repositories,
		Permissions: token.Permissions, Git: gitIdentityAnswer(token.Identity),
	})
	return nil
}

// liveAnswer is a live token as it is listed: by its SHA-256, never itself.
type liveAnswer struct {
	ID           string            `json:"id"`
	Rule         string            `json:"rule"`
	Repositories []string          `json:"repositories"`
	Permissions  map[string]string `json:"permissions"`
	IssuedAt     time.Time         `json:"issued_at"`
	ExpiresAt    time.Time         `json:"expires_at"`
}

func (s *Server) getBotTokens(w http.ResponseWriter, r *http.Request, c bot.Caller) error {
	live, err := s.issuer.Live(r.Context(), c.String())
	if err != nil {
		return err
	}
	answer := make([]liveAnswer, len(live))
	for i, one := range live {
		answer[i] = liveAnswer{one.ID, one.Rule, one.Repositories, one.Permissions, one.IssuedAt.UTC(), one.ExpiresAt.UTC()}
	}
	writeJSON(w, http.StatusOK, map[string]any{"tokens": answer})
	return nil
}

func (s *Server) deleteBotToken(w http.ResponseWriter, r *http.Request, c bot.Caller) error {
	if err := s.issuer.Revoke(r.Context(), c.String(), c.String(), chi.URLParam(r, "id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
