package lab_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
)

// object is one of JSON.
type object map[string]any

// played is a service that a test plays, as far as the extension asks it.
type played struct {
	url string // its page, as the extension is told

	mu         sync.Mutex
	number     int           // of the event
	changed    chan struct{} // closed at the next change
	flow       object
	connection object
	status     int    // of all answers, where not 0
	body       string // and what they have in them
	asked      map[string]int
}

func newPlayed(t testing.TB) *played {
	t.Helper()
	p := &played{changed: make(chan struct{}), asked: map[string]int{}}
	server := httptest.NewServer(p)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	p.url = server.URL + "/services/connect-github/"
	return p
}

// become changes what the service answers, and tells who listens.
func (p *played) become(change func(*played)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
	p.number++
	close(p.changed)
	p.changed = make(chan struct{})
}

// connect is a change: an account is connected for a time, and may push to repositories.
func connect(login string, left time.Duration, repositories ...string) func(*played) {
	list := []object{}
	for _, name := range repositories {
		list = append(list, object{"full_name": name, "push": true})
	}
	return func(p *played) {
		p.flow = nil
		p.connection = object{
			"login": login, "expires_at": time.Now().Add(left).UTC().Format(time.RFC3339Nano), "access": "ready",
			"repositories": list, "installations_url": "https://github.com/apps/connect/installations/new",
		}
	}
}

// ask is a change: a code waits for approval.
func ask(web bool) func(*played) {
	return func(p *played) {
		p.flow = object{
			"id": fmt.Sprint(p.number), "state": "pending", "user_code": "WDJB-MJHT", "web": web,
			"verification_uri": "https://github.com/login/device", "expires_at": time.Now().Add(15 * time.Minute).UTC().Format(time.RFC3339Nano),
		}
	}
}

// refuse is a change: every answer is this one.
func refuse(status int, body string) func(*played) {
	return func(p *played) { p.status, p.body = status, body }
}

// requests is how often each was asked for.
func (p *played) requests() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.asked)
}

func (p *played) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, path, _ := strings.Cut(r.URL.Path, "/api/")
	request := r.Method + " " + path
	p.mu.Lock()
	p.asked[request]++
	status, body := p.status, p.body
	p.mu.Unlock()
	if status != 0 {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
		return
	}
	switch request {
	case "GET flows/current/events":
		p.events(w, r)
		return
	case "POST flows":
		p.become(ask(false))
	case "DELETE flows/current":
		p.become(func(p *played) { p.flow = nil })
	case "DELETE connection":
		p.become(func(p *played) { p.connection = nil })
	}
	p.answer(w, request)
}

func (p *played) answer(w http.ResponseWriter, request string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case request == "POST flows":
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(p.flow)
	case request == "GET connection" && p.connection != nil:
		_ = json.NewEncoder(w).Encode(p.connection)
	case request == "GET connection":
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"error": {"code": "not_connected", "message": "You are not connected."}}`))
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// heartbeat is how often the service sends its last event again.
const heartbeat = 15 * time.Second

func (p *played) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for {
		p.mu.Lock()
		number, changed := p.number, p.changed
		flow, _ := json.Marshal(p.flow)
		p.mu.Unlock()
		if string(flow) == "null" {
			flow = []byte("{}")
		}
		_, _ = fmt.Fprintf(w, "id: %d\ndata: %s\n\n", number, flow)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-changed:
		case <-time.After(heartbeat):
		case <-r.Context().Done():
			return
		}
	}
}

// withoutHub is a Jupyter server without a Hub, which is told that the service is the
// one that a test plays.
func withoutHub(t testing.TB, module string, service *played, args ...string) *hubtest.Jupyter {
	t.Helper()
	env := []string{"JUPYTERHUB_HOST=https://hub.example.org", "JUPYTERHUB_API_TOKEN=of-the-server", "GHSCOPED_URL=" + service.url}
	for name, value := range shared.extension {
		env = append(env, name+"="+value)
	}
	return hubtest.JupyterServer(t, hubtest.JupyterOptions{Module: module, Env: env, Args: append(slices.Clone(quietLab), args...)})
}

// quietLab has JupyterLab ask nobody elsewhere for news and extensions.
var quietLab = []string{"--LabApp.news_url=None", "--LabApp.extension_manager=readonly", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"}

// open opens a page of a server and waits until the extension says what stands there.
func open(ctx context.Context, t testing.TB, browser *hubtest.Browser, jupyter *hubtest.Jupyter, page string) {
	t.Helper()
	require.NoError(t, browser.Run(ctx, chromedp.Navigate(jupyter.URL+page+"?token="+jupyter.Token), chromedp.WaitVisible(statusItem)))
}
