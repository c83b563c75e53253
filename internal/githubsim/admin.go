package githubsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"
)

// adminHandler is the management port: the Go API as JSON, for tests and
// people outside the process. A refused request is 400 with {"error": …}.
func (s *Server) adminHandler() http.Handler {
	r := chi.NewRouter()
	r.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	r.Get("/", show(func() any { return s.Info() }))
	r.Get("/stats", show(func() any { return s.Stats() }))
	r.Get("/polls", show(func() any { return s.PollSummary() }))
	r.Get("/tokens", show(func() any { return s.Tokens() }))
	r.Get("/clock", show(s.clockJSON))
	r.Post("/clock/advance", do(func(in struct{ By string }) (any, error) {
		d, err := time.ParseDuration(in.By)
		s.Advance(d)
		return s.clockJSON(), err
	}))
	r.Post("/approve", do(func(in struct {
		UserCode string `json:"user_code"`
		Login    string `json:"login"`
	}) (any, error) {
		return nil, s.Approve(in.UserCode, in.Login)
	}))
	r.Post("/deny", do(func(in struct {
		UserCode string `json:"user_code"`
	}) (any, error) {
		return nil, s.Deny(in.UserCode)
	}))
	r.Post("/authorize", do(func(in struct{ URL, Login string }) (any, error) {
		back, err := s.Authorize(in.URL, in.Login)
		return map[string]string{"redirect": back}, err
	}))
	s.adminWorld(r)
	s.adminFaults(r)
	return r
}

// adminWorld are the routes that change accounts, Apps and repositories.
func (s *Server) adminWorld(r chi.Router) {
	r.Post("/accounts", do(func(in Account) (any, error) { return nil, s.AddAccount(in) }))
	r.Post("/repositories", do(func(in Repository) (any, error) { return nil, s.AddRepository(in) }))
	r.Put("/apps", do(func(in App) (any, error) { return nil, s.PutApp(in) }))
	r.Post("/commits", do(func(in struct {
		Repository, Message string
		Files               map[string]string
	}) (any, error) {
		return nil, s.Commit(in.Repository, in.Message, in.Files)
	}))
	r.Post("/installations", do(func(in struct {
		ClientID     string   `json:"client_id"`
		Account      string   `json:"account"`
		All          bool     `json:"all"`
		Repositories []string `json:"repositories"`
	}) (any, error) {
		fill(&in.ClientID, s.Info().ClientID)
		id, err := s.InstallApp(in.ClientID, in.Account, in.All, in.Repositories...)
		return map[string]int64{"id": id}, err
	}))
	r.Delete("/installations/{id}", withID(s.Uninstall))
	r.Post("/installations/{id}/suspend", withID(func(id int64) error { return s.Suspend(id, true) }))
	r.Post("/installations/{id}/unsuspend", withID(func(id int64) error { return s.Suspend(id, false) }))
	r.Put("/installations/{id}/permissions", func(w http.ResponseWriter, r *http.Request) {
		do(func(in map[string]string) (any, error) { return nil, s.SetPermissions(pathID(r), in) })(w, r)
	})
	r.Post("/grants/revoke", do(func(in struct {
		ClientID string `json:"client_id"`
		Login    string `json:"login"`
	}) (any, error) {
		s.RevokeGrant(in.ClientID, in.Login)
		return nil, nil
	}))
	r.Post("/saml", do(func(in struct {
		Org string
		On  bool
	}) (any, error) {
		s.SAML(in.Org, in.On)
		return nil, nil
	}))
	r.Post("/saml/sessions", do(func(in struct{ Login, Org string }) (any, error) {
		s.SignOn(in.Login, in.Org)
		return nil, nil
	}))
	r.Post("/installation-requests", do(func(in struct{ Org, Login string }) (any, error) { return nil, s.RequestApp(in.Org, in.Login) }))
	r.Delete("/installation-requests/{org}", func(w http.ResponseWriter, r *http.Request) {
		s.DeclineRequests(chi.URLParam(r, "org"))
		writeAdmin(w, nil, nil)
	})
	r.Post("/archive", do(func(in struct {
		Repository string
		On         bool
	}) (any, error) {
		return nil, s.Archive(in.Repository, in.On)
	}))
	r.Post("/protect", do(func(in struct {
		Repository string
		Branches   []string
	}) (any, error) {
		return nil, s.Protect(in.Repository, in.Branches...)
	}))
	r.Post("/require-signatures", do(func(in struct {
		Repository string
		Branches   []string
	}) (any, error) {
		return nil, s.RequireSignatures(in.Repository, in.Branches...)
	}))
}

func (s *Server) adminFaults(r chi.Router) {
	r.Get("/faults", show(func() any { return s.Faults() }))
	r.Post("/faults", do(func(in Fault) (any, error) {
		id, err := s.Fault(in)
		return map[string]int64{"id": id}, err
	}))
	r.Delete("/faults", func(w http.ResponseWriter, _ *http.Request) {
		s.ClearFaults(0)
		writeAdmin(w, nil, nil)
	})
	r.Delete("/faults/{id}", withID(func(id int64) error { s.ClearFaults(id); return nil }))
}

// Info says where a server is and what a client must know.
type Info struct {
	URL      string `json:"url"`
	APIURL   string `json:"api_url"`
	AdminURL string `json:"admin_url"`
	ClientID string `json:"client_id"` // of the first App
	AppURL   string `json:"app_url"`
	CAPEM    string `json:"ca_pem,omitempty"`
}

// Info describes the server; the demo reads it from the program's first line.
func (s *Server) Info() Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := Info{URL: s.url, APIURL: s.apiURL, AdminURL: s.admin, CAPEM: string(s.CAPEM())}
	if len(s.appOrder) > 0 {
		i.ClientID = s.appOrder[0]
		i.AppURL = s.url + "/apps/" + s.apps[i.ClientID].Slug
	}
	return i
}

func (s *Server) clockJSON() any {
	return map[string]any{"now": s.Now().UTC(), "offset": time.Duration(s.offset.Load()).String()}
}

func show(f func() any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { writeAdmin(w, f(), nil) }
}

// do decodes a JSON body strictly, so that a misspelt field is not ignored.
func do[T any](f func(T) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in T
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 16<<20))
		d.DisallowUnknownFields()
		if err := d.Decode(&in); err != nil {
			writeAdmin(w, nil, err)
			return
		}
		out, err := f(in)
		writeAdmin(w, out, err)
	}
}

func withID(f func(id int64) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { writeAdmin(w, nil, f(pathID(r))) }
}

func pathID(r *http.Request) int64 {
	id, _ := strconv.ParseInt(chi.URLParam(r, "id"), 10, 64)
	return id
}

func writeAdmin(w http.ResponseWriter, out any, err error) {
	w.Header().Set("Content-Type", "application/json")
	switch {
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
		out = map[string]string{"error": err.Error()}
	case out == nil:
		w.WriteHeader(http.StatusNoContent)
		return
	}
	_ = json.NewEncoder(w).Encode(out)
}

// UnmarshalJSON takes durations as Go writes them: "delay": "2s".
func (f *Fault) UnmarshalJSON(b []byte) error {
	type plain Fault
	in := struct {
		*plain
		After string `json:"after"`
		For   string `json:"for"`
		Delay string `json:"delay"`
	}{plain: (*plain)(f)}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return err
	}
	for text, field := range map[*string]*time.Duration{&in.After: &f.After, &in.For: &f.For, &in.Delay: &f.Delay} {
		if *text == "" {
			continue
		}
		d, err := time.ParseDuration(*text)
		if err != nil {
			return fmt.Errorf("fault: %w", err)
		}
		*field = d
	}
	return nil
}
