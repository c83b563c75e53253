package githubsim

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// gitAccess is the decision about one git request.
type gitAccess struct {
	status    int
	message   string
	actor     string
	tokenSHA  string
	workflows string // "1": may change workflow files
}

func (a gitAccess) push(repo string, now time.Time) Push {
	return Push{Repository: repo, Actor: a.actor, TokenSHA256: a.tokenSHA, Time: now, Status: a.status}
}

func (a gitAccess) refuse(status int, message string) gitAccess {
	a.status, a.message = status, message
	return a
}

const badGitCredential = "Invalid username or token. Password authentication is not supported for Git operations."

// gitAccess decides whether a request may fetch from or push to repo (nil: unknown).
func (s *Server) gitAccess(r *http.Request, repo *repository, push bool) gitAccess {
	value := credential(r)
	t := s.liveToken(value)
	a := gitAccess{status: http.StatusOK}
	if value != "" && t == nil {
		a.tokenSHA = sha(value)
		return a.refuse(http.StatusUnauthorized, badGitCredential) // also for a public repository
	}
	if t == nil {
		switch {
		case repo != nil && !push && !repo.Private:
			return a
		case push:
			return a.refuse(http.StatusUnauthorized, "No anonymous write access.")
		}
		return a.refuse(http.StatusUnauthorized, "Repository not found.")
	}
	t.used = true
	a.actor, a.tokenSHA = t.actor(), sha(value)
	if repo == nil {
		return a.refuse(http.StatusNotFound, "Repository not found.")
	}
	if push && repo.Archived && s.covers(t, repo, "contents", "read") {
		return a.refuse(http.StatusForbidden, "This repository was archived so it is read-only.")
	}
	if s.covers(t, repo, "workflows", "write") {
		a.workflows = "1"
	}
	if !push {
		if !repo.Private || s.covers(t, repo, "contents", "read") {
			return a
		}
		return a.hidden(s, t, repo)
	}
	switch {
	case s.covers(t, repo, "contents", "write"):
		return a
	case s.hiddenBySAML(t, repo.owner), repo.Private && !s.covers(t, repo, "contents", "read"):
		return a.hidden(s, t, repo)
	}
	return a.refuse(http.StatusForbidden, fmt.Sprintf("Permission to %s.git denied to %s.", repo.FullName, a.actor))
}

// hidden is the refusal of a repository whose existence is not admitted.
func (a gitAccess) hidden(s *Server, t *token, repo *repository) gitAccess {
	if s.hiddenBySAML(t, repo.owner) {
		return a.refuse(http.StatusForbidden, fmt.Sprintf("The `%s' organization has enabled or enforced SAML SSO.\n"+
			"To access this repository, you must re-authorize the GitHub App `%s'.", repo.owner, t.app.Name))
	}
	return a.refuse(http.StatusNotFound, "Repository not found.")
}

// credential is the token of a request, in any of the forms GitHub takes.
func credential(r *http.Request) string {
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch strings.ToLower(scheme) {
	case "bearer", "token":
		return strings.TrimSpace(value)
	case "basic":
		raw, _ := base64.StdEncoding.DecodeString(value)
		user, pass, _ := strings.Cut(string(raw), ":")
		if pass == "" || pass == "x-oauth-basic" {
			return user
		}
		return pass
	}
	return ""
}
