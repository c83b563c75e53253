package githubsim

import (
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// Stats are everything that happened since the start.
type Stats struct {
	Requests    map[string]int         `json:"requests"` // by endpoint, such as "GET /user/installations"
	Statuses    map[string]map[int]int `json:"statuses"` // by endpoint and status; 0 for a connection broken by a fault
	Polls       PollSummary            `json:"polls"`
	DeviceCodes []DevicePolls          `json:"device_codes"`
	Tokens      []TokenInfo            `json:"tokens"`
	Pushes      []Push                 `json:"pushes"`
	Pulls       []PullRequest          `json:"pulls"`
	Emails      []Email                `json:"emails"`
}

// PollSummary adds up the polls of all device codes.
type PollSummary struct {
	Flows    int `json:"flows"`
	Polls    int `json:"polls"`
	TooEarly int `json:"too_early"`
	// MinSlack is the shortest distance between two polls of one code, less
	// the interval at the start: negative where a poll came too early.
	MinSlack time.Duration `json:"-"`
}

// DevicePolls are the polls of one device code. Distances run from the end of
// one answer to the arrival of the next request.
type DevicePolls struct {
	UserCode         string         `json:"user_code"`
	DeviceCodeSHA256 string         `json:"device_code_sha256"`
	ClientID         string         `json:"client_id"`
	State            string         `json:"state"` // pending, approved, denied, used, expired
	IssuedAt         time.Time      `json:"issued_at"`
	Polls            int            `json:"polls"`
	TooEarly         int            `json:"too_early"`
	Interval         time.Duration  `json:"-"` // as raised by slow_down
	FirstAfter       time.Duration  `json:"-"` // from the issue to the first poll
	MinDistance      time.Duration  `json:"-"` // 0 with fewer than two polls
	Answers          map[string]int `json:"answers"`
}

// TokenInfo is one token that was issued. The clear values are here so that
// tests can look for them where they must not be.
type TokenInfo struct {
	Token         string            `json:"token"`
	SHA256        string            `json:"sha256"`
	Kind          string            `json:"kind"` // user, installation
	Actor         string            `json:"actor"`
	ClientID      string            `json:"client_id"`
	Via           string            `json:"via,omitempty"` // device, web, scoped
	State         string            `json:"state"`         // live, expired, revoked, evicted, refreshed, uninstalled, grant revoked
	IssuedAt      time.Time         `json:"issued_at"`
	ExpiresAt     time.Time         `json:"expires_at,omitzero"`
	Used          bool              `json:"used"`
	Refresh       string            `json:"refresh_token,omitempty"`
	RefreshSHA256 string            `json:"refresh_sha256,omitempty"`
	RefreshState  string            `json:"refresh_state,omitempty"`
	Repositories  []string          `json:"repositories,omitempty"`
	Permissions   map[string]string `json:"permissions,omitempty"`
}

// Stats copies what was counted.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Stats{Requests: maps.Clone(s.requests), Statuses: map[string]map[int]int{}, DeviceCodes: []DevicePolls{},
		Tokens: s.tokenInfos(), Pushes: append([]Push{}, s.pushes...), Pulls: append([]PullRequest{}, s.pulls...), Emails: append([]Email{}, s.emails...)}
	for k, v := range s.statuses {
		out.Statuses[k] = maps.Clone(v)
	}
	for _, d := range s.deviceOrder {
		out.DeviceCodes = append(out.DeviceCodes, s.devicePolls(d))
	}
	out.Polls = s.pollSummary()
	return out
}

// PollSummary is Stats().Polls alone, which stays cheap with thousands of flows.
func (s *Server) PollSummary() PollSummary {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pollSummary()
}

func (s *Server) pollSummary() PollSummary {
	sum := PollSummary{Flows: len(s.deviceOrder)}
	measured := false
	for _, d := range s.deviceOrder {
		sum.Polls += d.polls
		sum.TooEarly += d.tooEarly
		if slack := d.minDistance - s.opts.Interval; d.polls > 1 && (!measured || slack < sum.MinSlack) {
			sum.MinSlack, measured = slack, true
		}
	}
	return sum
}

func (s *Server) devicePolls(d *device) DevicePolls {
	state := d.state
	if state != "used" && s.Now().Sub(d.issued) >= deviceCodeLife {
		state = "expired"
	}
	return DevicePolls{UserCode: d.userCode, DeviceCodeSHA256: sha(d.code), ClientID: d.app.ClientID, State: state, IssuedAt: d.issued,
		Polls: d.polls, TooEarly: d.tooEarly, Interval: d.interval, FirstAfter: d.firstAfter, MinDistance: d.minDistance, Answers: maps.Clone(d.answers)}
}

// Tokens are all tokens that were ever issued, oldest first.
func (s *Server) Tokens() []TokenInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokenInfos()
}

func (s *Server) tokenInfos() []TokenInfo {
	list := []TokenInfo{}
	for _, t := range s.issued {
		info := TokenInfo{Token: t.value, SHA256: sha(t.value), Kind: "user", Actor: t.actor(), ClientID: t.app.ClientID, Via: t.via,
			State: t.state(s.Now()), IssuedAt: t.issued, ExpiresAt: t.expires, Used: t.used, Refresh: t.refresh,
			RefreshState: t.refreshState(s.Now()), Permissions: t.permissions}
		if t.refresh != "" {
			info.RefreshSHA256 = sha(t.refresh)
		}
		if t.installation != nil {
			info.Kind = "installation"
		}
		for id := range t.repos {
			info.Repositories = append(info.Repositories, s.repoByID(id).FullName)
		}
		slices.Sort(info.Repositories)
		list = append(list, info)
	}
	return list
}

// MarshalJSON adds the slack in milliseconds.
func (p PollSummary) MarshalJSON() ([]byte, error) {
	type plain PollSummary
	return json.Marshal(struct {
		plain
		MinSlackMS float64 `json:"min_slack_ms"`
	}{plain(p), milliseconds(p.MinSlack)})
}

// MarshalJSON adds the durations in milliseconds.
func (d DevicePolls) MarshalJSON() ([]byte, error) {
	type plain DevicePolls
	return json.Marshal(struct {
		plain
		IntervalMS    float64 `json:"interval_ms"`
		FirstAfterMS  float64 `json:"first_after_ms"`
		MinDistanceMS float64 `json:"min_distance_ms"`
	}{plain(d), milliseconds(d.Interval), milliseconds(d.FirstAfter), milliseconds(d.MinDistance)})
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
