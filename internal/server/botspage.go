package server

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/audit"
	"github.com/ghscoped/ghscoped-service/internal/bot"
	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/hubauth"
	"github.com/ghscoped/ghscoped-service/web"
)

// mostUses bounds the rows of what bots asked for: whoever may ask chooses what
// stands in them.
const mostUses = 500

// botsPage shows what bots may do and what they asked for, and people's connections
// in numbers. It changes nothing and names nobody, but for users whom the policy names.
func (s *Server) botsPage(w http.ResponseWriter, r *http.Request, session hubauth.Session) error {
	view := web.BotsView{User: session.User, Now: s.clock(), Owner: strings.ToLower(strings.TrimSpace(r.URL.Query().Get("owner")))}
	s.describePolicy(&view)
	err := s.eachUser(r.Context(), func(user *flow.User) error {
		if user.Connection == nil {
			return nil
		}
		view.People.Connected++
		if reaches(user.Connection, view.Owner) {
			view.People.Reaching++
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.countEvents(r.Context(), &view); err != nil {
		return err
	}
	s.writeHTML(w, r, http.StatusOK, func(lang string, out *page) error { return s.pages.Bots(out, lang, view) })
	return nil
}

// reaches reports whether a connection reaches a repository of an owner.
func reaches(c *flow.Connection, owner string) bool {
	for _, one := range c.Access.Repositories {
		if ofOwner(one.FullName, owner) {
			return true
		}
	}
	return false
}

// ofOwner reports whether a repository, or a pattern of them, is an owner's; "":
// anybody's.
func ofOwner(full, owner string) bool {
	name, _, _ := strings.Cut(full, "/")
	return owner == "" || strings.EqualFold(name, owner)
}

// describePolicy fills in what bots may do: with an owner the rules about their
// repositories, and of these no others.
func (s *Server) describePolicy(view *web.BotsView) {
	if s.issuer == nil {
		view.Policy = web.PolicyOff
		return
	}
	rules := s.issuer.Policy().Rules()
	view.Policy, view.RepositoryFile = web.PolicyInForce, s.issuer.RepositoryFile
	if s.policyErr != nil {
		if err := s.policyErr(); err != nil {
			view.Policy, view.Problem = web.PolicyStale, err.Error()
		}
	}
	if len(rules) == 0 {
		view.Policy = web.PolicyEmpty
	}
	owners := map[string]bool{}
	for _, rule := range rules {
		for _, full := range rule.Repositories {
			owner, _, _ := strings.Cut(full, "/")
			owners[owner] = true
		}
		others := func(full string) bool { return !ofOwner(full, view.Owner) }
		rule.Repositories, rule.Except = slices.DeleteFunc(rule.Repositories, others), slices.DeleteFunc(rule.Except, others)
		if len(rule.Repositories) > 0 {
			view.Rules = append(view.Rules, botRule(rule))
		}
	}
	view.Owners = slices.Sorted(maps.Keys(owners))
}

func botRule(rule bot.RuleDescription) web.BotRule {
	shown := web.BotRule{Name: rule.Name, Reason: rule.Reason, Callers: rule.Callers,
		Repositories: rule.Repositories, Except: rule.Except, Permissions: rule.Permissions, Reuse: int(rule.Reuse.Minutes())}
	for _, condition := range rule.Where {
		shown.Where = append(shown.Where, web.BotCondition{Claim: condition.Claim, Texts: condition.Texts})
	}
	return shown
}

// uses counts the events of the history.
type uses struct {
	view *web.BotsView
	rows map[string]*web.BotUse
	of   map[string]int  // events of one user or bot
	full map[string]bool // callers as rows name them, of whom there were more than is remembered
}

// people stands for all users of the Hub, as a caller.
const people = bot.User

// countEvents fills in what the history tells.
func (s *Server) countEvents(ctx context.Context, view *web.BotsView) error {
	u := uses{view: view, rows: map[string]*web.BotUse{}, of: map[string]int{}, full: map[string]bool{}}
	if err := s.history.Each(ctx, u.add); err != nil {
		return err
	}
	for _, row := range u.rows {
		row.AtLeast = u.full[cmp.Or(row.Caller, people)]
		view.Uses = append(view.Uses, *row)
	}
	slices.SortFunc(view.Uses, compareUses)
	view.MoreUses = max(0, len(view.Uses)-mostUses)
	view.Uses = view.Uses[:len(view.Uses)-view.MoreUses]
	return nil
}

// compareUses puts those who got something first.
func compareUses(a, b web.BotUse) int {
	got := func(use web.BotUse) int { return min(use.Given, 1) }
	return cmp.Or(cmp.Compare(got(b), got(a)), cmp.Compare(a.Caller, b.Caller), cmp.Compare(a.Repository, b.Repository),
		cmp.Compare(a.Rule, b.Rule), slices.Compare(a.Permissions, b.Permissions))
}

// add counts one event; they come newest first.
func (u *uses) add(event audit.Event) {
	u.view.Since = event.Time
	whose := event.User + "\x00" + event.Caller
	u.of[whose]++
	if event.Caller == "" {
		u.view.People.AtLeast = u.view.People.AtLeast || u.of[whose] >= audit.MostOfOne
		u.addPerson(event)
		return
	}
	caller, person := bot.NameOf(event.Caller)
	if person {
		caller = ""
	}
	if u.of[whose] >= audit.MostOfOne || event.Code == apierror.CodeTooManyRefusals {
		u.full[cmp.Or(caller, people)] = true
	}
	u.addBot(event, caller)
}

func (u *uses) addPerson(event audit.Event) {
	p := &u.view.People
	switch event.Action + " " + event.Outcome {
	case "flow_started ok":
		p.Begun++
	case "flow_finished connected":
		p.Made++
	case "identity_mismatch refused":
		p.Mismatches++
	case "disconnected ok":
		p.Ended++
	case "revoked ok":
		p.Revoked++
	}
}

// addBot counts an event in each of its repositories. Of several owners there is none.
func (u *uses) addBot(event audit.Event, caller string) {
	repositories := event.Repositories
	if len(repositories) == 0 {
		repositories = []string{""}
	}
	if !ofOwner(repositories[0], u.view.Owner) {
		return
	}
	u.view.LeftOut += event.RepositoriesLeftOut
	permissions := permissionsOf(event)
	for _, full := range repositories {
		full = strings.ToLower(full)
		key := fmt.Sprintf("%q", []any{caller, event.Rule, full, permissions})
		row := u.rows[key]
		if row == nil {
			row = &web.BotUse{Caller: caller, Rule: event.Rule, Repository: full, Permissions: permissions, Last: event.Time}
			u.rows[key] = row
		}
		switch event.Outcome {
		case bot.Issued, bot.Reused:
			row.Given++
		case bot.Refused:
			row.Refused++
		case bot.Failed:
			row.Failed++
		case bot.Revoked:
			row.Revoked++
		}
	}
}

// permissionsOf are those of an event, as in contents:write.
func permissionsOf(event audit.Event) []string {
	all := github.ListPermissions(event.Permissions)
	if event.PermissionsLeftOut > 0 {
		all = append(all, fmt.Sprintf("+ %d", event.PermissionsLeftOut))
	}
	return all
}
