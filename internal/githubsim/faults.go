package githubsim

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"path"
	"strconv"
	"time"
)

// Kinds of faults.
const (
	FaultDelay     = "delay"     // waits Delay, then answers rightly
	FaultReset     = "reset"     // resets the connection; nothing happened
	FaultLost      = "lost"      // does the work, then drops the answer
	FaultTruncate  = "truncate"  // announces the whole answer and sends half of it
	FaultHTML502   = "html502"   // a load balancer's HTML page
	FaultWrongType = "wrongtype" // 200 with an HTML page where JSON is expected
	FaultEndless   = "endless"   // 200 and a JSON body that never ends, as fast as it is read
	FaultTrickle   = "trickle"   // the same, one byte every Delay (default 1 s)
	FaultSlow      = "slow"      // the right answer, one byte every Delay (default 1 s)
	FaultStatus    = "status"    // Status (default 403), RetryAfter and Body
	FaultFresh401  = "fresh401"  // 401 for a token that was never accepted yet
	FaultBlackHole = "blackhole" // takes the request and says nothing
)

// Fault makes an endpoint misbehave. The clock of After and For is the
// simulator's, that of Delay is real.
type Fault struct {
	ID         int64             `json:"id"`
	Endpoint   string            `json:"endpoint"` // as in Stats.Requests, or a path.Match pattern of it; "" for all
	Kind       string            `json:"kind"`
	Times      int               `json:"times,omitempty"` // requests it hits; 0: until cleared
	Skip       int               `json:"skip,omitempty"`  // requests it lets through first
	Every      int               `json:"every,omitempty"` // hits each n-th matching request only
	After      time.Duration     `json:"-"`               // begins this long after it was set
	For        time.Duration     `json:"-"`               // and lasts this long; 0: for ever
	Delay      time.Duration     `json:"-"`
	RetryAfter int               `json:"retry_after,omitempty"` // seconds; for status
	Status     int               `json:"status,omitempty"`
	Header     map[string]string `json:"header,omitempty"`
	Body       string            `json:"body,omitempty"`
	Hits       int               `json:"hits"`

	set  time.Time
	seen int
}

// Fault adds a fault and returns its number. Of several that match, the oldest wins.
func (s *Server) Fault(f Fault) (int64, error) {
	switch f.Kind {
	case FaultDelay, FaultReset, FaultLost, FaultTruncate, FaultHTML502, FaultWrongType, FaultEndless,
		FaultTrickle, FaultSlow, FaultStatus, FaultFresh401, FaultBlackHole:
	default:
		return 0, fmt.Errorf("unknown kind of fault %q", f.Kind)
	}
	if _, err := path.Match(f.Endpoint, ""); err != nil {
		return 0, fmt.Errorf("endpoint %q: %w", f.Endpoint, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f.ID, f.set, f.Hits, f.seen = s.nextID(), s.Now(), 0, 0
	s.faults = append(s.faults, &f)
	return f.ID, nil
}

// ClearFaults removes one fault, or all when id is 0.
func (s *Server) ClearFaults(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var kept []*Fault
	for _, f := range s.faults {
		if id != 0 && f.ID != id {
			kept = append(kept, f)
		}
	}
	s.faults = kept
}

// Faults are the faults that are set, with how often each has hit.
func (s *Server) Faults() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []Fault{}
	for _, f := range s.faults {
		list = append(list, *f)
	}
	return list
}

// takeFault finds the fault for a request and uses it up by one.
func (s *Server) takeFault(name string, r *http.Request) *Fault {
	for _, f := range s.faults {
		if !f.names(name) || (f.Times > 0 && f.Hits >= f.Times) {
			continue
		}
		since := s.Now().Sub(f.set)
		if since < f.After || (f.For > 0 && since >= f.After+f.For) {
			continue
		}
		if t := s.tokens[credential(r)]; f.Kind == FaultFresh401 && (t == nil || t.used) {
			continue
		}
		f.seen++
		if f.seen <= f.Skip || (f.Every > 1 && (f.seen-f.Skip)%f.Every != 0) {
			continue
		}
		f.Hits++
		hit := *f
		return &hit
	}
	return nil
}

// names says whether the fault is meant for an endpoint. Patterns hold braces
// and slashes of their own, so the exact name is tried first.
func (f *Fault) names(endpoint string) bool {
	matched, _ := path.Match(f.Endpoint, endpoint)
	return f.Endpoint == "" || f.Endpoint == endpoint || matched
}

const badGatewayPage = "<!DOCTYPE html><html><head><title>Unicorn!</title></head><body><h1>502 Bad Gateway</h1><p>This page is taking too long to load.</p></body></html>\n"

// misbehave answers a request as the fault says.
func (s *Server) misbehave(f Fault, w http.ResponseWriter, r *http.Request, h http.HandlerFunc) {
	switch f.Kind {
	case FaultDelay:
		if sleep(r.Context(), f.Delay) {
			h(w, r)
		}
	case FaultReset:
		reset(w)
	case FaultBlackHole:
		_, _ = io.Copy(io.Discard, r.Body) // else a client that leaves is not noticed
		<-r.Context().Done()
	case FaultLost:
		h(newRecorder(), r)
		reset(w)
	case FaultTruncate, FaultSlow:
		rec := newRecorder()
		h(rec, r)
		rec.sendBadly(f, w, r)
	case FaultHTML502:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, badGatewayPage)
	case FaultWrongType:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, "<!DOCTYPE html><title>Sign in</title><p>Your network wants you to sign in.</p>\n")
	case FaultEndless, FaultTrickle:
		endless(f, w, r)
	case FaultStatus:
		s.write(w, r, f.statusReply())
	case FaultFresh401:
		s.write(w, r, fail(http.StatusUnauthorized, "Bad credentials"))
		s.useUp(credential(r), f)
	}
}

// useUp lets the token through next time, unless the fault is to hit it more often.
func (s *Server) useUp(value string, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tokens[value]; t != nil && f.Times == 0 {
		t.used = true
	}
}

func (f Fault) statusReply() reply {
	fill(&f.Status, http.StatusForbidden)
	p := fail(f.Status, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.")
	if f.Body != "" {
		p = reply{status: f.Status, raw: []byte(f.Body)}
	}
	for k, v := range f.Header {
		p = p.with(k, v)
	}
	if f.RetryAfter > 0 {
		p = p.with("Retry-After", strconv.Itoa(f.RetryAfter))
	}
	return p
}

// reset breaks the connection so that the client sees it as reset, not as ended.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // net/http's own way to drop a connection
	}
	raw := conn
	if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
		raw = secure.NetConn()
	}
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = raw.Close()
}

func endless(f Fault, w http.ResponseWriter, r *http.Request) {
	chunk := bytes.Repeat([]byte(" "), 32<<10)
	if f.Kind == FaultTrickle {
		chunk = chunk[:1]
		fill(&f.Delay, time.Second)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, err := io.WriteString(w, `{"padding":"`)
	for err == nil && (f.Delay == 0 || sleep(r.Context(), f.Delay)) {
		if _, err = w.Write(chunk); err == nil {
			err = http.NewResponseController(w).Flush()
		}
	}
}

// recorder keeps an answer so that it can be sent badly, or not at all.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newRecorder() *recorder { return &recorder{header: http.Header{}, status: http.StatusOK} }

func (c *recorder) Header() http.Header         { return c.header }
func (c *recorder) WriteHeader(status int)      { c.status = status }
func (c *recorder) Write(b []byte) (int, error) { return c.body.Write(b) }

func (c *recorder) sendBadly(f Fault, w http.ResponseWriter, r *http.Request) {
	maps.Copy(w.Header(), c.header)
	body := c.body.Bytes()
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(c.status)
	if f.Kind == FaultTruncate {
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	fill(&f.Delay, time.Second)
	for i := range body {
		if !sleep(r.Context(), f.Delay) {
			return
		}
		_, _ = w.Write(body[i : i+1])
		_ = http.NewResponseController(w).Flush()
	}
}
