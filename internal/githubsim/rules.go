package githubsim

import (
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"
)

// branchRules are those in force for a branch: the ones of [Server.Protect], with one
// approval that whoever wrote the change cannot give.
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
	rules := []map[string]any{}
	if branch := strings.Trim(chi.URLParam(c.Request, "*"), "/"); slices.Contains(r.Protected, branch) {
		source := map[string]any{"ruleset_source_type": "Repository", "ruleset_source": r.FullName, "ruleset_id": 42}
		deletion := map[string]any{"type": "deletion"}
		review := map[string]any{"type": "pull_request", "parameters": map[string]any{
			"required_approving_review_count": 1, "dismiss_stale_reviews_on_push": false, "require_code_owner_review": false,
			"require_last_push_approval": false, "required_review_thread_resolution": false,
		}}
		for _, rule := range []map[string]any{deletion, review} {
			for name, value := range source {
				rule[name] = value
			}
			rules = append(rules, rule)
		}
	}
	return ok(rules)
}
