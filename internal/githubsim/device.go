package githubsim

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const deviceCodeLife = 15 * time.Minute

// device is one device flow.
type device struct {
	code, userCode string
	app            *App
	issued         time.Time
	interval       time.Duration
	state          string // pending, approved, denied, used
	login          string

	// Statistics, which also count polls that a fault answered.
	last        time.Time // end of the latest poll, or its arrival if it has not ended
	polls       int
	tooEarly    int
	firstAfter  time.Duration
	minDistance time.Duration
	answers     map[string]int
}

func (s *Server) deviceCode(w http.ResponseWriter, r *http.Request) {
	s.write(w, r, s.newDevice(params(r).Get("client_id")))
}

func (s *Server) newDevice(clientID string) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	app := s.apps[clientID]
	if app == nil {
		return reply{status: http.StatusNotFound, oauth: map[string]any{"error": "Not Found"}}
	}
	if app.NoDeviceFlow {
		p := oauthError("device_flow_disabled", deviceErrorsURI)
		p.status = http.StatusBadRequest
		return p
	}
	d := &device{code: randomHex(40), userCode: s.freshUserCode(), app: app, issued: s.Now(),
		interval: s.opts.Interval, state: "pending", answers: map[string]int{}}
	s.devices[d.code], s.userCodes[d.userCode] = d, d
	s.deviceOrder = append(s.deviceOrder, d)
	return reply{status: http.StatusOK, oauth: map[string]any{
		"device_code": d.code, "user_code": d.userCode, "verification_uri": s.url + "/login/device",
		"expires_in": int(deviceCodeLife.Seconds()), "interval": int(d.interval.Seconds())}}
}

func (s *Server) freshUserCode() string {
	for {
		c := strings.ToUpper(randomHex(4) + "-" + randomHex(4))
		if s.userCodes[c] == nil {
			return c
		}
	}
}

type earlyKey struct{}

// earlyPoll says whether timedPoll found this poll to be too soon.
func earlyPoll(r *http.Request) bool {
	early, _ := r.Context().Value(earlyKey{}).(bool)
	return early
}

// timedPoll measures a device poll from the outside, so that one which a fault
// answers is measured too. The distance runs from the end of the previous
// answer to the arrival of this request. A first poll is never too soon: GitHub
// limits how often, and the flow's start is not a poll.
func (s *Server) timedPoll(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p := params(r)
		if p.Get("grant_type") != deviceGrantType {
			h(w, r)
			return
		}
		s.mu.Lock()
		d := s.devices[p.Get("device_code")]
		early := d != nil && d.arrive(s.Now())
		s.mu.Unlock()
		if d != nil {
			defer func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				d.last = s.Now()
			}()
		}
		h(w, r.WithContext(context.WithValue(r.Context(), earlyKey{}, early)))
	}
}

func (d *device) arrive(now time.Time) (early bool) {
	if d.polls == 0 {
		d.firstAfter = now.Sub(d.issued)
	} else {
		distance := now.Sub(d.last)
		if d.polls == 1 || distance < d.minDistance {
			d.minDistance = distance
		}
		early = distance < d.interval
	}
	d.polls++
	d.last = now
	if early {
		d.tooEarly++
	}
	return early
}

// deviceExchange answers one poll.
func (s *Server) deviceExchange(app *App, code, repositoryID string, early bool) reply {
	d := s.devices[code]
	if app.NoDeviceFlow {
		return oauthError("device_flow_disabled", deviceErrorsURI)
	}
	if d == nil || d.app != app || d.state == "used" {
		return d.answer(oauthError("incorrect_device_code", deviceErrorsURI))
	}
	switch {
	case s.Now().Sub(d.issued) >= deviceCodeLife:
		return d.answer(oauthError("expired_token", deviceErrorsURI))
	case early:
		d.interval += 5 * time.Second
		p := oauthError("slow_down", deviceErrorsURI)
		p.oauth["interval"] = int(d.interval.Seconds())
		return d.answer(p)
	case d.state == "denied":
		return d.answer(oauthError("access_denied", deviceErrorsURI))
	case d.state == "pending":
		return d.answer(oauthError("authorization_pending", deviceErrorsURI))
	}
	d.state = "used"
	return d.answer(reply{status: http.StatusOK,
		oauth: s.issueUserToken(app, d.login, "device", s.onlyRepo(app, d.login, repositoryID)).answer()})
}

// answer counts what a poll was told.
func (d *device) answer(p reply) reply {
	if d != nil {
		code, _ := p.oauth["error"].(string)
		if code == "" {
			code = "success"
		}
		d.answers[code]++
	}
	return p
}

// pendingDevice finds the flow of a code as a person types it.
func (s *Server) pendingDevice(typed string) *device {
	c := strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(typed))
	if len(c) != 8 {
		return nil
	}
	d := s.userCodes[c[:4]+"-"+c[4:]]
	if d == nil || d.state != "pending" || s.Now().Sub(d.issued) >= deviceCodeLife {
		return nil
	}
	return d
}

// Approve is login entering userCode and authorising, without the pages and
// without counting against the 50 code entries an hour.
func (s *Server) Approve(userCode, login string) error {
	return s.decide(userCode, login, "approved")
}

// Deny is somebody entering userCode and cancelling.
func (s *Server) Deny(userCode string) error { return s.decide(userCode, "", "denied") }

func (s *Server) decide(userCode, login, state string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.pendingDevice(userCode)
	if d == nil {
		return fmt.Errorf("user code %q: unknown, expired or decided already", userCode)
	}
	if state == "approved" {
		a := s.account(login)
		if a == nil || a.Org {
			return fmt.Errorf("no person %q", login)
		}
		d.login = a.Login
	}
	d.state = state
	return nil
}
