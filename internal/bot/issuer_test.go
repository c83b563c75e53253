package bot_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/audit"
	"github.com/ghscoped/ghscoped-service/internal/bot"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

const policyText = `version: 1
rules:
  - name: nightly
    reason: The nightly job refreshes the course material.
    callers: [service:nbbot]
    repositories: [octo-org/shared, octo-org/handbook]
    permissions: {contents: write, pull_requests: write}
  - name: frequent
    reason: A job that runs each minute.
    callers: [service:minutely]
    repositories: [octo-org/shared]
    permissions: {contents: write}
    reuse: 30m
`

var (
	nbbot    = bot.Caller{Kind: bot.Service, Name: "nbbot"}
	minutely = bot.Caller{Kind: bot.Service, Name: "minutely"}
	noon     = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
)

func push(repositories ...string) bot.Request {
	return bot.Request{Repositories: repositories, Permissions: map[string]string{"contents": "write"}}
}

// stage is an issuer among fakes of its neighbours, whose order of work it
// writes down.
type stage struct {
	*bot.Issuer
	mu     sync.Mutex
	now    time.Time
	log    []string
	asked  []github.InstallationToken
	live   map[string]bot.Live
	events []audit.Event
	files  map[string]string
	// What goes wrong.
	tamper                      func(*github.InstallationToken)
	mintErr, storeErr, auditErr error
	revokeErr, nameErr          error
	naming                      func(context.Context)
	named                       int
	ended                       map[string]bool // at GitHub, by somebody else
	aliveErr                    error
	minting                     func()
	policy                      *bot.Policy
	repositoryFile, listAll     bool
	fileErr                     error
	unguarded                   string // a repository
	registry                    *prometheus.Registry
}

func newStage(t *testing.T, policy string, change func(*stage)) *stage {
	t.Helper()
	p, err := bot.ParsePolicy([]byte(policy))
	require.NoError(t, err)
	s := &stage{now: noon, live: map[string]bot.Live{}, policy: p, registry: prometheus.NewRegistry()}
	if change != nil {
		change(s)
	}
	s.Issuer = bot.New(bot.Options{Policy: func() *bot.Policy { return s.policy }, RepositoryFile: s.repositoryFile,
		GitHub: s, Store: s, Audit: s, Clock: func() time.Time { return s.now }, Registry: s.registry})
	return s
}

func (s *stage) note(format string, args ...any) {
	s.log = append(s.log, fmt.Sprintf(format, args...))
}

func (s *stage) Mint(_ context.Context, owner string, names []string, permissions map[string]string) (github.InstallationToken, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mintErr != nil {
		return github.InstallationToken{}, s.mintErr
	}
	m := github.InstallationToken{Token: secret.New(fmt.Sprintf("ghs_%d", len(s.asked))), ExpiresAt: s.now.Add(time.Hour), Selected: true, Permissions: map[string]string{"metadata": "read"}}
	for name, level := range permissions {
		m.Permissions[name] = level
	}
	for _, name := range names {
		m.Repositories = append(m.Repositories, owner+"/"+name)
	}
	s.asked = append(s.asked, m)
	s.note("mint %s", m.Token.Reveal())
	if s.minting != nil {
		s.minting()
	}
	if s.tamper != nil {
		m.Repositories = slices.Clone(m.Repositories)
		s.tamper(&m)
	}
	return m, nil
}

func (s *stage) Identity(ctx context.Context, _ github.InstallationToken) (github.Identity, error) {
	s.mu.Lock()
	s.named++
	s.mu.Unlock()
	if s.naming != nil {
		s.naming(ctx)
	}
	if s.nameErr != nil {
		return github.Identity{}, s.nameErr
	}
	return github.Identity{Name: "ghscoped-demo[bot]", Email: "7+ghscoped-demo[bot]@users.noreply.github.com"}, nil
}

func (s *stage) Alive(_ context.Context, token github.InstallationToken) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.ended[token.Token.Reveal()] && s.aliveErr == nil, s.aliveErr
}

func (s *stage) RevokeInstallationToken(ctx context.Context, token github.InstallationToken) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := bounded(ctx); err != nil {
		s.note("%s", err)
	}
	s.note("revoke %s", token.Token.Reveal())
	return errors.Join(s.revokeErr, ctx.Err())
}

// bounded demands that what is done whether or not somebody waits for it has an
// end.
func bounded(ctx context.Context) error {
	if end, limited := ctx.Deadline(); limited && time.Until(end) > time.Minute {
		return errors.New("this may take hours")
	}
	return nil
}

func (s *stage) Guarded(_ context.Context, _ github.InstallationToken, owner, repository string) error {
	if s.unguarded == owner+"/"+repository {
		return &apierror.Error{Code: apierror.CodeRepositoryUnguarded, Message: "Nothing keeps it."}
	}
	return nil
}

func (s *stage) File(_ context.Context, _ github.InstallationToken, owner, repository, path string, _ int) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fileErr != nil {
		return nil, false, s.fileErr
	}
	content, found := s.files[owner+"/"+repository]
	if path != bot.RepositoryFilePath {
		return nil, false, errors.New("another path")
	}
	return []byte(content), found, nil
}

func (s *stage) Add(ctx context.Context, live bot.Live) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.live[live.ID]; there {
		return errors.New("it is there")
	}
	s.note("keep %s", live.Token.Reveal())
	if s.storeErr == nil {
		s.live[live.ID] = live
	}
	return errors.Join(s.storeErr, ctx.Err(), bounded(ctx))
}

func (s *stage) List(_ context.Context, caller string) ([]bot.Live, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []bot.Live
	for _, live := range s.live {
		if s.listAll || (caller == "" || live.Caller == caller) && s.now.Before(live.ExpiresAt) {
			list = append(list, live)
		}
	}
	return list, nil
}

func (s *stage) Remove(ctx context.Context, _, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() == nil {
		delete(s.live, id)
	}
	return ctx.Err()
}

func (s *stage) Record(ctx context.Context, event audit.Event) { _ = s.Keep(ctx, event) }

func (s *stage) Keep(ctx context.Context, event audit.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note("audit %s", event.Outcome)
	s.events = append(s.events, event)
	return errors.Join(s.auditErr, ctx.Err())
}

func requireCode(t *testing.T, err error, code string) {
	t.Helper()
	var e *apierror.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, e.Code, "%v", err)
}

func TestIssueAuditsATokenBeforeItIsGiven(t *testing.T) {
	t.Parallel()
	s := newStage(t, policyText, nil)
	token, err := s.Issue(t.Context(), nbbot, push("octo-org/shared", "octo-org/Handbook", "octo-org/shared"), "request-1")
	require.NoError(t, err)
	require.Equal(t, "ghs_0", token.Token.Reveal())
	require.Equal(t, []string{"octo-org/Handbook", "octo-org/shared"}, token.Repositories)
	require.Equal(t, map[string]string{"contents": "write"}, token.Permissions)
	require.Equal(t, noon.Add(time.Hour), token.ExpiresAt)
	require.Equal(t, []string{"mint ghs_0", "keep ghs_0", "audit issued"}, s.log)
	require.Equal(t, []audit.Event{{Time: noon, Action: bot.ActionIssue,
		OfBot:  audit.OfBot{Caller: "service:nbbot", Rule: "nightly", Permissions: token.Permissions, RequestID: "request-1"},
		Reason: "The nightly job refreshes the course material.", Repositories: token.Repositories,
		TokenHash: token.Token.Hash(), ExpiresAt: token.ExpiresAt, Outcome: bot.Issued}}, s.events)
}

func TestIssueRefusedReachesNobodyButTheAudit(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		caller  bot.Caller
		request bot.Request
		code    string
	}{
		"another repository":    {nbbot, push("octo-org/secrets"), "bot_refused"},
		"another caller":        {bot.Caller{Kind: bot.Service, Name: "other"}, push("octo-org/shared"), "bot_refused"},
		"another bot's rule":    {minutely, push("octo-org/handbook"), "bot_refused"},
		"more permission":       {nbbot, bot.Request{Repositories: []string{"octo-org/shared"}, Permissions: map[string]string{"issues": "read"}}, "bot_refused"},
		"several owners":        {nbbot, push("octo-org/shared", "octocat/hello"), "several_owners"},
		"a wildcard":            {nbbot, push("octo-org/*"), "repository_invalid"},
		"nothing":               {nbbot, push(), "repositories_missing"},
		"no permission":         {nbbot, bot.Request{Repositories: []string{"octo-org/shared"}}, "permissions_missing"},
		"permission of no name": {nbbot, bot.Request{Repositories: []string{"octo-org/shared"}, Permissions: map[string]string{"pull-requests": "write"}}, "permission_invalid"},
		"501 repositories":      {nbbot, push(slices.Repeat([]string{"octo-org/shared"}, 501)...), "too_many_repositories"},
		"a name of a megabyte":  {nbbot, push(strings.Repeat("x", 1<<20)), "repository_invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, policyText, nil)
			token, err := s.Issue(t.Context(), tc.caller, tc.request, "r")
			requireCode(t, err, tc.code)
			status := http.StatusBadRequest
			if tc.code == apierror.CodeBotRefused {
				status = http.StatusForbidden
			}
			require.Equal(t, status, (&apierror.Error{Code: tc.code}).Status())
			require.Empty(t, token)
			require.Equal(t, []string{"audit refused"}, s.log)
			require.Equal(t, tc.code, s.events[0].Code)
			require.NotEmpty(t, s.events[0].Why)
		})
	}
}

func TestIssueRevokesATokenThatIsNotWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	for name, tamper := range map[string]func(*github.InstallationToken){
		"all repositories": func(m *github.InstallationToken) { m.Selected = false },
		"one too many":     func(m *github.InstallationToken) { m.Repositories = append(m.Repositories, "octo-org/other") },
		"another":          func(m *github.InstallationToken) { m.Repositories = []string{"octo-org/other"} },
		"none":             func(m *github.InstallationToken) { m.Repositories = nil },
		"a permission more": func(m *github.InstallationToken) {
			m.Permissions = map[string]string{"contents": "write", "issues": "read"}
		},
		"a higher permission": func(m *github.InstallationToken) { m.Permissions = map[string]string{"contents": "admin"} },
		"writing metadata": func(m *github.InstallationToken) {
			m.Permissions = map[string]string{"contents": "write", "metadata": "write"}
		},
		"a lower permission":   func(m *github.InstallationToken) { m.Permissions = map[string]string{"contents": "read"} },
		"no word of any right": func(m *github.InstallationToken) { m.Permissions = nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, policyText, func(s *stage) { s.tamper = tamper })
			token, err := s.Issue(t.Context(), nbbot, push("octo-org/shared"), "r")
			requireCode(t, err, "github_granted_otherwise")
			require.Empty(t, token)
			require.Equal(t, []string{"mint ghs_0", "revoke ghs_0", "audit failed"}, s.log)
			require.NotEmpty(t, s.events[0].TokenHash)
		})
	}
}

func TestIssueGivesNoTokenThatCannotBeTraced(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk full")
	s := newStage(t, policyText, func(s *stage) { s.storeErr = broken })
	_, err := s.Issue(t.Context(), nbbot, push("octo-org/shared"), "r")
	requireCode(t, err, "unavailable")
	var told *apierror.Error
	require.ErrorAs(t, err, &told)
	require.True(t, told.Retryable, "so it is answered 503")
	require.Equal(t, []string{"mint ghs_0", "keep ghs_0", "revoke ghs_0", "audit failed"}, s.log)

	s = newStage(t, policyText, func(s *stage) { s.mintErr = broken })
	_, err = s.Issue(t.Context(), nbbot, push("octo-org/shared"), "r")
	requireCode(t, err, "internal")

	s = newStage(t, policyText, func(s *stage) { s.auditErr = broken })
	token, err := s.Issue(t.Context(), nbbot, push("octo-org/shared"), "r")
	requireCode(t, err, "unavailable")
	require.Empty(t, token)
	require.Equal(t, []string{"mint ghs_0", "keep ghs_0", "audit issued", "revoke ghs_0", "audit failed"}, s.log)
	require.Empty(t, s.live)

	s = newStage(t, policyText, func(s *stage) { s.mintErr = &apierror.Error{Code: "github_limited", Retryable: true} })
	_, err = s.Issue(t.Context(), nbbot, push("octo-org/shared"), "r")
	requireCode(t, err, "github_limited")
	require.Equal(t, []string{"audit failed"}, s.log)

	s = newStage(t, policyText, func(s *stage) { s.storeErr, s.revokeErr = broken, broken })
	_, err = s.Issue(t.Context(), nbbot, push("octo-org/shared"), "r")
	require.ErrorContains(t, err, "lives on")
	require.Contains(t, s.events[0].Why, "could not be revoked")
}

func TestIssueForgetsNoTokenThatCannotBeRevoked(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		goWrong func(*stage)
		code    string
	}{
		"no audit": {func(s *stage) { s.auditErr = errors.New("disk full") }, "unavailable"},
		"something else": {func(s *stage) {
			s.tamper = func(m *github.InstallationToken) { m.Repositories = []string{"octo-org/other"} }
		}, "github_granted_otherwise"},
		"not even listed": {func(s *stage) { s.tamper = func(m *github.InstallationToken) { m.Selected = false } }, "github_granted_otherwise"},
		"not limited": {func(s *stage) {
			s.tamper = func(m *github.InstallationToken) {
				m.Selected, m.Permissions = false, map[string]string{"contents": "write"}
			}
		}, "github_granted_otherwise"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, policyText, func(s *stage) {
				s.revokeErr = &apierror.Error{Code: "github_limited", Retryable: true}
				tc.goWrong(s)
			})
			token, err := s.Issue(t.Context(), minutely, push("octo-org/shared"), "r")
			requireCode(t, err, tc.code)
			require.Empty(t, token)
			require.Contains(t, s.events[len(s.events)-1].Why, "could not be revoked")
			for _, live := range s.live {
				require.Equal(t, name == "something else", slices.Contains(live.Repositories, "octo-org/other"), "it is listed as what it is")
			}

			s.revokeErr, s.auditErr, s.tamper = nil, nil, nil
			if tc.code == "github_granted_otherwise" {
				again, err := s.Issue(t.Context(), minutely, push("octo-org/shared"), "r")
				require.NoError(t, err)
				require.Equal(t, "ghs_1", again.Token.Reveal(), "what is not what was asked for is never given")
			}
			n, err := s.RevokeAll(t.Context(), "user:admin", "")
			require.NoError(t, err)
			require.Equal(t, len(s.asked), n)
			require.Contains(t, s.log, "revoke ghs_0")
			require.Empty(t, s.live)
		})
	}
}

func TestIssueHoldsNoTokenBackForTheAppsName(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, policyText, nil)
		issue := func(ctx context.Context, c bot.Caller) (bot.Token, time.Duration) {
			began := time.Now()
			token, err := s.Issue(ctx, c, push("octo-org/shared"), "r")
			require.NoError(t, err)
			return token, time.Since(began)
		}
		known, _ := issue(t.Context(), nbbot)
		require.NotEmpty(t, known.Identity)

		s.now = noon.Add(time.Hour)
		s.nameErr = errors.New("no answer")
		s.naming = func(ctx context.Context) { <-ctx.Done() }
		var asking sync.WaitGroup
		asking.Go(func() {
			token, took := issue(t.Context(), nbbot)
			require.Equal(t, known.Identity, token.Identity, "the one known before stands")
			require.Equal(t, 5*time.Second, took)
		})
		synctest.Wait()
		token, took := issue(t.Context(), minutely)
		require.LessOrEqual(t, took, 5*time.Second, "two do not wait longer than one")
		require.NotEmpty(t, token.Token)
		asking.Wait()

		_, took = issue(t.Context(), nbbot)
		require.Zero(t, took, "it is not asked for again at once")
		s.now, s.naming, s.nameErr = s.now.Add(time.Minute), nil, nil
		token, _ = issue(t.Context(), nbbot)
		require.Equal(t, known.Identity, token.Identity)
		require.Equal(t, 3, s.named)
	})
}

func TestIssueLeavesNoTokenBehindACallerWhoLeaves(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := newStage(t, policyText, func(s *stage) { s.minting = cancel })
	_, err := s.Issue(ctx, nbbot, push("octo-org/shared"), "r")
	require.NoError(t, err, "what was minted is kept and audited, whoever still listens")
	require.Equal(t, []string{"mint ghs_0", "keep ghs_0", "audit issued"}, s.log)
}

func TestIssueGivesATokenAgainWhereTheRuleSaysSo(t *testing.T) {
	t.Parallel()
	s := newStage(t, policyText, nil)
	issue := func(c bot.Caller, r bot.Request) string {
		token, err := s.Issue(t.Context(), c, r, "r")
		require.NoError(t, err)
		return token.Token.Reveal()
	}
	require.Equal(t, "ghs_0", issue(minutely, push("octo-org/shared")))
	s.now = noon.Add(29 * time.Minute)
	require.Equal(t, "ghs_0", issue(minutely, push("octo-org/SHARED")))
	require.Equal(t, "audit reused", s.log[len(s.log)-1])
	require.Equal(t, "ghs_1", issue(nbbot, push("octo-org/shared")), "somebody else's token is never given")
	s.now = s.now.Add(-time.Minute)
	require.Equal(t, "ghs_2", issue(nbbot, push("octo-org/shared")), "without a reuse each token is new, though the clock was put back")
	s.now = s.now.Add(time.Minute)
	require.Equal(t, "ghs_3", issue(minutely, bot.Request{Repositories: []string{"octo-org/shared"}, Permissions: map[string]string{"contents": "read"}}))
	s.now = noon.Add(30 * time.Minute)
	require.Equal(t, "ghs_4", issue(minutely, push("octo-org/shared")))

	renamed, err := bot.ParsePolicy([]byte(strings.ReplaceAll(policyText, "name: frequent", "name: other")))
	require.NoError(t, err)
	s.policy = renamed
	require.Equal(t, "ghs_5", issue(minutely, push("octo-org/shared")), "another rule is another reason")
	s.listAll = true
	s.policy, err = bot.ParsePolicy([]byte(strings.ReplaceAll(policyText, "[service:minutely]", "['service:minutely', 'service:second']")))
	require.NoError(t, err)
	require.Equal(t, "ghs_6", issue(bot.Caller{Kind: bot.Service, Name: "second"}, push("octo-org/shared")), "not even if the store mixes callers up")

	s.policy = &bot.Policy{}
	_, err = s.Issue(t.Context(), minutely, push("octo-org/shared"), "r")
	requireCode(t, err, "bot_refused")
}

func TestIssueGivesAgainOnlyWhatFits(t *testing.T) {
	t.Parallel()
	frequent := strings.Replace(policyText, "repositories: [octo-org/shared]", "repositories: [octo-org/shared, octo-org/handbook]", 1)
	exclusive := push("octo-org/shared")
	exclusive.Exclusive = true
	for name, test := range map[string]struct {
		request bot.Request
		expires time.Duration
		want    string
	}{
		"the same":           {push("octo-org/shared"), time.Hour, "ghs_0"},
		"another repository": {push("octo-org/handbook"), time.Hour, "ghs_1"},
		"one more":           {push("octo-org/handbook", "octo-org/shared"), time.Hour, "ghs_1"},
		"for nobody else":    {exclusive, time.Hour, "ghs_1"},
		"what has expired":   {push("octo-org/shared"), time.Minute, "ghs_1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, frequent, func(s *stage) { s.listAll = true })
			_, err := s.Issue(t.Context(), minutely, push("octo-org/shared"), "r")
			require.NoError(t, err)
			for id, live := range s.live {
				live.ExpiresAt = noon.Add(test.expires)
				s.live[id] = live
			}
			s.now = noon.Add(time.Minute)
			token, err := s.Issue(t.Context(), minutely, test.request, "r")
			require.NoError(t, err)
			require.Equal(t, test.want, token.Token.Reveal())
		})
	}
}

func TestIssueCountsEachRequest(t *testing.T) {
	t.Parallel()
	s := newStage(t, policyText, nil)
	_, err := s.Issue(t.Context(), nbbot, push("octo-org/shared"), "r")
	require.NoError(t, err)
	_, err = s.Issue(t.Context(), nbbot, push("octo-org/secrets"), "r")
	require.Error(t, err)
	for range 20 {
		_, err = s.Issue(t.Context(), nbbot, push("octo-org/secrets"), "r")
		require.Error(t, err)
	}
	families, err := s.registry.Gather()
	require.NoError(t, err)
	require.Equal(t, "ghscoped_bot_tokens_issued_total", families[0].GetName())
	counted := map[string]float64{}
	for _, m := range families[0].GetMetric() {
		counted[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
	}
	require.Equal(t, map[string]float64{bot.Issued: 1, bot.Refused: 20, bot.Paced: 1}, counted)
}

func TestIssueAsksNoOwnerInVain(t *testing.T) {
	t.Parallel()
	var names []string
	for n := range 51 {
		names = append(names, fmt.Sprintf("octo-org/r%d", n))
	}
	policy := strings.Replace(policyText, "[octo-org/shared, octo-org/handbook]", "[octo-org/*]", 1)
	for name, test := range map[string]struct {
		repositories []string
		goWrong      func(*stage)
		code         string
		outcome      string
		asked        int
	}{
		"more than fifty": {names, func(*stage) {}, "too_many_repositories", bot.Refused, 0},
		"GitHub gives no token to read with": {names[:1], func(s *stage) { s.mintErr = &apierror.Error{Code: "github_limited"} },
			"github_limited", bot.Failed, 0},
		"GitHub does not show the file": {names[:1], func(s *stage) { s.fileErr = &apierror.Error{Code: "github_unreachable"} },
			"github_unreachable", bot.Failed, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, policy, func(s *stage) { s.repositoryFile = true; test.goWrong(s) })
			_, err := s.Issue(t.Context(), nbbot, push(test.repositories...), "r")
			requireCode(t, err, test.code)
			require.Equal(t, test.outcome, s.events[0].Outcome)
			require.Len(t, s.asked, test.asked)
		})
	}
}

func TestIssueGivesTheOwnerOfEachRepositoryTheLastWord(t *testing.T) {
	t.Parallel()
	const yes = "version: 1\nallow:\n  - {callers: [service:nbbot], permissions: {contents: write}}\n"
	const wide = "version: 1\nallow:\n  - {callers: ['service:*'], permissions: {contents: write, administration: write}}\n"
	for name, tc := range map[string]struct {
		files map[string]string
		code  string
	}{
		"both allow":        {map[string]string{"octo-org/shared": yes, "octo-org/handbook": wide}, ""},
		"one has no file":   {map[string]string{"octo-org/shared": yes}, "repository_refused"},
		"one says no":       {map[string]string{"octo-org/shared": yes, "octo-org/handbook": "version: 1\nallow: []\n"}, "repository_refused"},
		"one is broken":     {map[string]string{"octo-org/shared": yes, "octo-org/handbook": "version: 1\nallow: [\n"}, "repository_refused"},
		"one is for others": {map[string]string{"octo-org/shared": yes, "octo-org/handbook": strings.ReplaceAll(yes, "nbbot", "x")}, "repository_refused"},
		"one allows less":   {map[string]string{"octo-org/shared": yes, "octo-org/handbook": strings.ReplaceAll(yes, "write", "read")}, "repository_refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, policyText, func(s *stage) { s.repositoryFile, s.files = true, tc.files })
			_, err := s.Issue(t.Context(), nbbot, push("octo-org/shared", "octo-org/handbook"), "r")
			require.Equal(t, map[string]string{"contents": "read", "metadata": "read"}, s.asked[0].Permissions, "the file is read with no more than that")
			require.Equal(t, []string{"mint ghs_0", "revoke ghs_0"}, s.log[:2])
			if tc.code == "" {
				require.NoError(t, err)
				require.Equal(t, bot.Issued, s.events[0].Outcome)
				return
			}
			requireCode(t, err, tc.code)
			require.Equal(t, bot.Refused, s.events[0].Outcome)
			require.Equal(t, name == "one has no file", strings.Contains(s.events[0].Why, "has no "))
			require.Len(t, s.asked, 1)
		})
	}
	s := newStage(t, policyText, func(s *stage) { s.repositoryFile, s.files = true, map[string]string{"octo-org/secrets": wide} })
	_, err := s.Issue(t.Context(), nbbot, push("octo-org/secrets"), "r")
	requireCode(t, err, "bot_refused")
	require.Empty(t, s.asked, "a file cannot widen the policy, so it is not even read")
}

// Who may push could widen the file that lets them.
func TestIssueAsksWhatKeepsTheRepositoryFile(t *testing.T) {
	t.Parallel()
	const all = "version: 1\nallow:\n  - {callers: ['service:*'], permissions: {contents: write, administration: write, issues: write}}\n"
	for name, tc := range map[string]struct {
		permissions map[string]string
		unguarded   string
		code        string
	}{
		"may push, and the branch is guarded":     {map[string]string{"contents": "write"}, "", ""},
		"may push, and it is not":                 {map[string]string{"contents": "write"}, "octo-org/handbook", "repository_unguarded"},
		"may read":                                {map[string]string{"contents": "read"}, "octo-org/handbook", ""},
		"may change issues":                       {map[string]string{"issues": "write"}, "octo-org/handbook", ""},
		"may change the rules of the repository":  {map[string]string{"administration": "write"}, "", "repository_refused"},
		"may look at the rules of the repository": {map[string]string{"administration": "read"}, "octo-org/handbook", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			policy := strings.Replace(policyText, "pull_requests: write", "issues: write, administration: write", 1)
			s := newStage(t, policy, func(s *stage) {
				s.repositoryFile, s.unguarded = true, tc.unguarded
				s.files = map[string]string{"octo-org/shared": all, "octo-org/handbook": all}
			})
			_, err := s.Issue(t.Context(), nbbot, bot.Request{Repositories: []string{"octo-org/shared", "octo-org/handbook"}, Permissions: tc.permissions}, "r")
			if tc.code == "" {
				require.NoError(t, err)
				return
			}
			requireCode(t, err, tc.code)
			require.Equal(t, bot.Refused, s.events[0].Outcome)
			require.NotEmpty(t, s.events[0].Why)
			require.Len(t, s.asked, 1, "no token was minted but that which reads")
		})
	}
}

func TestLiveTokensCanBeRevokedOneOrAll(t *testing.T) {
	t.Parallel()
	s := newStage(t, policyText, nil)
	for range 3 {
		_, err := s.Issue(t.Context(), nbbot, push("octo-org/shared"), "r")
		require.NoError(t, err)
	}
	other, err := s.Issue(t.Context(), minutely, push("octo-org/shared"), "r")
	require.NoError(t, err)

	requireCode(t, s.Revoke(t.Context(), "service:nbbot", "service:nbbot", other.Token.Hash()), "token_unknown")
	requireCode(t, s.Revoke(t.Context(), "user:admin", "", other.Token.Hash()), "token_unknown") // no caller is not any caller
	require.NoError(t, s.Revoke(t.Context(), "user:admin", "service:minutely", other.Token.Hash()))
	requireCode(t, s.Revoke(t.Context(), "user:admin", "service:minutely", other.Token.Hash()), "token_unknown")
	last := s.events[len(s.events)-1]
	require.Equal(t, audit.Event{Time: noon, OfBot: audit.OfBot{Caller: "service:minutely", By: "user:admin", Rule: "frequent", Permissions: map[string]string{"contents": "write"}}, Action: bot.ActionRevoke,
		Repositories: []string{"octo-org/shared"}, TokenHash: other.Token.Hash(),
		ExpiresAt: noon.Add(time.Hour), Outcome: bot.Revoked}, last)

	s.revokeErr = &apierror.Error{Code: "github_unreachable", Retryable: true}
	n, err := s.RevokeAll(t.Context(), "user:admin", "")
	requireCode(t, err, "github_unreachable")
	require.Zero(t, n)
	require.Len(t, s.live, 3, "what lives on is not forgotten")
	for _, event := range s.events[len(s.events)-3:] {
		require.Equal(t, [2]string{bot.Failed, "github_unreachable"}, [2]string{event.Outcome, event.Code})
	}
	s.revokeErr = nil
	n, err = s.RevokeAll(t.Context(), "user:admin", "service:nbbot")
	require.NoError(t, err)
	require.Equal(t, 3, n)
	live, err := s.Live(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, live)
}

// TestWhatGitHubIsAskedIsWhatIsAnswered lets random callers ask for random
// things.
func TestWhatGitHubIsAskedIsWhatIsAnswered(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 2))
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	given := 0
	for range 2000 {
		s := newStage(t, policyText, nil)
		request := bot.Request{Permissions: map[string]string{}}
		for range random.IntN(3) {
			request.Repositories = append(request.Repositories, pick("octo-org", "octo-org", "octo-org", "x")+"/"+pick("shared", "handbook", "Shared", "secrets", "*"))
		}
		for range random.IntN(3) {
			request.Permissions[pick("contents", "pull_requests", "issues")] = pick("read", "write")
		}
		token, err := s.Issue(t.Context(), bot.Caller{Kind: bot.Service, Name: pick("nbbot", "minutely", "x")}, request, "r")
		require.Len(t, s.events, 1)
		if err != nil {
			require.Empty(t, s.asked, "seed %d", seed)
			continue
		}
		given++
		require.Len(t, s.asked, 1)
		require.Equal(t, s.asked[0].Repositories, token.Repositories, "seed %d", seed)
		require.Equal(t, request.Permissions, token.Permissions, "seed %d", seed)
		delete(s.asked[0].Permissions, "metadata") // the fake adds it, as GitHub does
		require.Equal(t, s.asked[0].Permissions, token.Permissions, "seed %d", seed)
		for _, full := range token.Repositories {
			require.True(t, slices.ContainsFunc(request.Repositories, func(r string) bool { return strings.EqualFold(r, full) }), "seed %d", seed)
		}
	}
	require.Greater(t, given, 20, "seed %d", seed) // 65 on average, with a deviation of 7
}

func BenchmarkIssueRefused(b *testing.B) {
	p, err := bot.ParsePolicy([]byte(policyText))
	require.NoError(b, err)
	issuer := bot.New(bot.Options{Policy: func() *bot.Policy { return p }, Audit: discard{}, Clock: time.Now, Registry: prometheus.NewRegistry()})
	request := push("octo-org/secrets")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := issuer.Issue(b.Context(), nbbot, request, "r"); err == nil {
			b.Fatal("must be refused")
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "refusals/s")
}

type discard struct{}

func (discard) Record(context.Context, audit.Event) {}

func (discard) Keep(context.Context, audit.Event) error { return nil }

func TestIssueGivesNoTokenAgainThatEndedAtGitHub(t *testing.T) {
	t.Parallel()
	s := newStage(t, policyText, nil)
	issue := func(r bot.Request) string {
		token, err := s.Issue(t.Context(), minutely, r, "r")
		require.NoError(t, err)
		return token.Token.Reveal()
	}
	request := push("octo-org/shared")
	require.Equal(t, "ghs_0", issue(request))
	s.aliveErr = &apierror.Error{Code: "github_unreachable", Retryable: true}
	require.Equal(t, "ghs_0", issue(request), "a GitHub that says nothing does not end it")
	s.aliveErr, s.ended = nil, map[string]bool{"ghs_0": true}
	require.Equal(t, "ghs_1", issue(request))
	require.Len(t, s.live, 1, "the dead one is forgotten")
	require.Equal(t, "ghs_1", issue(request))

	fresh := request
	fresh.Fresh = true
	require.Equal(t, "ghs_2", issue(fresh), "as asked for, whatever the rule says")
}

func TestIssueMintsOnceForEqualRequestsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, policyText, func(s *stage) { s.naming = func(context.Context) { time.Sleep(time.Second) } })
		given := make([]string, 30)
		var all sync.WaitGroup
		for n := range given {
			all.Go(func() {
				token, err := s.Issue(t.Context(), minutely, push("octo-org/shared"), "r")
				require.NoError(t, err)
				given[n] = token.Token.Reveal()
			})
		}
		all.Wait()
		require.Equal(t, []string{"ghs_0"}, slices.Compact(given))
		require.Len(t, s.events, 30, "each is in the audit")

		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		s.now = s.now.Add(time.Hour)
		s.naming = func(context.Context) { time.Sleep(time.Minute) }
		all.Go(func() { _, _ = s.Issue(t.Context(), minutely, push("octo-org/shared"), "r") })
		synctest.Wait()
		_, err := s.Issue(ctx, minutely, push("octo-org/shared"), "r")
		requireCode(t, err, "unavailable")
		all.Wait()
	})
}

func TestIssueTellsACallerThatNobodyRetriesForIt(t *testing.T) {
	t.Parallel()
	s := newStage(t, policyText, func(s *stage) {
		s.mintErr = &apierror.Error{Code: "github_unreachable", Hint: "Nothing is lost; the service retries.", Retryable: true, Err: errors.New("GitHub answered 502")}
	})
	_, err := s.Issue(t.Context(), nbbot, push("octo-org/shared"), "r")
	own, _ := errors.AsType[*apierror.Error](err)
	require.Equal(t, "Ask again.", own.Hint)
	require.Equal(t, "GitHub answered 502", s.events[0].Why, "administrators see the cause")
}

func TestIssueGivesAnExclusiveTokenToNobodyElse(t *testing.T) {
	t.Parallel()
	s := newStage(t, policyText, nil)
	own := push("octo-org/shared")
	own.Exclusive = true
	given := map[string]bool{}
	for _, request := range []bot.Request{own, own, push("octo-org/shared")} {
		token, err := s.Issue(t.Context(), minutely, request, "r")
		require.NoError(t, err)
		given[token.Token.Reveal()] = true
	}
	require.Len(t, given, 3, "the rule has reuse")
	shared, err := s.Issue(t.Context(), minutely, push("octo-org/shared"), "r")
	require.NoError(t, err)
	require.True(t, given[shared.Token.Reveal()])
}

func TestIssueGivesATokenWithTheAppsName(t *testing.T) {
	t.Parallel()
	s := newStage(t, policyText, nil)
	for range 2 {
		token, err := s.Issue(t.Context(), nbbot, push("octo-org/shared"), "r")
		require.NoError(t, err)
		require.Equal(t, "ghscoped-demo[bot]", token.Identity.Name)
	}
	require.Equal(t, 1, s.named, "it is asked for once an hour")

	nameless := newStage(t, policyText, func(s *stage) { s.nameErr = errors.New("no such App") })
	token, err := nameless.Issue(t.Context(), nbbot, push("octo-org/shared"), "r")
	require.NoError(t, err, "a token is good without it")
	require.Empty(t, token.Identity)
	require.Contains(t, nameless.events[0].Why, "no such App")
}
