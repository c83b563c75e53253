package githubsim

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"
)

// branchRules are those in force for a branch: the ones of [Server.Protect], with one
// approval that whoever wrote the change cannot give, and the one of
// [Server.RequireSignatures].
func (s *Server) branchRules(c *call) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, refusal := s.visibleRepo(c)
	if refusal != nil {
		return *refusal
	}
	if c.token == nil && r.Private {
		return fail(http.StatusNotFound, "Not Found")
	}
	branch := strings.Trim(chi.URLParam(c.Request, "*"), "/")
	var inForce []map[string]any
	if slices.Contains(r.Protected, branch) {
		inForce = append(inForce, map[string]any{"type": "deletion"}, map[string]any{"type": "pull_request", "parameters": map[string]any{
			"required_approving_review_count": 1, "dismiss_stale_reviews_on_push": false, "require_code_owner_review": false,
			"require_last_push_approval": false, "required_review_thread_resolution": false,
		}})
	}
	if slices.Contains(r.SignedOnly, branch) {
		inForce = append(inForce, map[string]any{"type": "required_signatures"})
	}
	rules := []map[string]any{}
	for _, rule := range inForce {
		maps.Copy(rule, map[string]any{"ruleset_source_type": "Repository", "ruleset_source": r.FullName, "ruleset_id": 42})
		rules = append(rules, rule)
	}
	return ok(rules)
}
