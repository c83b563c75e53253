package githubsim

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Who may call an API endpoint.
const (
	anyone = iota
	users
	installations
	appsOnly
)

// call is one authenticated API request. token and app are nil for nobody.
type call struct {
	*http.Request
	token *token
	app   *App
}

// api authenticates, counts against the rate limit, and answers.
func (s *Server) api(who int, h func(c *call) reply) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c := &call{Request: r}
		s.mu.Lock()
		refusal := s.identify(c, who)
		limit, over := s.rate(c)
		s.mu.Unlock()
		for k, v := range limit {
			w.Header().Set(k, v)
		}
		switch {
		case over != nil:
			s.write(w, r, *over)
		case refusal != nil:
			s.write(w, r, *refusal)
		default:
			s.write(w, r, h(c))
		}
	}
}

// identify fills in who calls, and refuses whom the endpoint is not for.
func (s *Server) identify(c *call, who int) *reply {
	value := credential(c.Request)
	if who == appsOnly || strings.HasPrefix(value, "ey") {
		app, refusal := s.appOfJWT(value)
		if refusal != nil {
			return refusal
		}
		c.app = app
		if who == users || who == installations {
			p := fail(http.StatusForbidden, "Resource not accessible by integration")
			return &p
		}
		return nil
	}
	if value == "" {
		if who == anyone {
			return nil
		}
		p := fail(http.StatusUnauthorized, "Requires authentication")
		return &p
	}
	if c.token = s.liveToken(value); c.token == nil {
		p := fail(http.StatusUnauthorized, "Bad credentials")
		return &p
	}
	c.token.used = true
	i := c.token.installation
	if (who == users && i != nil) || (who == installations && i == nil) {
		p := fail(http.StatusForbidden, "Resource not accessible by integration")
		return &p
	}
	if i != nil && !i.suspended.IsZero() {
		p := fail(http.StatusForbidden, "This installation has been suspended")
		return &p
	}
	return nil
}

// rate counts the call and gives the headers that say so.
func (s *Server) rate(c *call) (map[string]string, *reply) {
	host, _, _ := net.SplitHostPort(c.RemoteAddr)
	key, limit, who := "address "+host, s.opts.Limits.AnonymousPerHour, host+"."
	switch {
	case c.token != nil && c.token.installation != nil:
		key, limit = fmt.Sprint("installation ", c.token.installation.id), s.opts.Limits.UserPerHour
		who = fmt.Sprintf("installation ID %d.", c.token.installation.id)
	case c.token != nil:
		key, limit = "user "+c.token.login, s.opts.Limits.UserPerHour
		who = fmt.Sprintf("user ID %d.", s.account(c.token.login).ID)
	case c.app != nil:
		key, limit, who = "app "+c.app.Slug, s.opts.Limits.UserPerHour, c.app.Slug
	}
	resource := "core"
	if isGraphQL(c.Request) {
		resource, key = "graphql", "graphql "+key
	}
	w := s.hour(s.rates, key)
	over := w.count >= limit
	if !over && !strings.HasSuffix(c.URL.Path, "/rate_limit") {
		w.count++
	}
	header := map[string]string{
		"X-RateLimit-Limit": strconv.Itoa(limit), "X-RateLimit-Used": strconv.Itoa(w.count), "X-RateLimit-Resource": resource,
		"X-RateLimit-Remaining": strconv.Itoa(limit - w.count), "X-RateLimit-Reset": strconv.FormatInt(w.start.Add(time.Hour).Unix(), 10)}
	if over && !strings.HasSuffix(c.URL.Path, "/rate_limit") {
		p := fail(http.StatusForbidden, "API rate limit exceeded for "+who)
		if isGraphQL(c.Request) {
			p = ok(map[string]any{"errors": []any{map[string]any{"type": "RATE_LIMITED", "message": "API rate limit exceeded for " + who}}})
		}
		return header, &p
	}
	return header, nil
}

func (s *Server) rateLimit(c *call) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	header, _ := s.rate(c)
	core := map[string]any{"resource": "core"}
	for _, k := range []string{"Limit", "Used", "Remaining", "Reset"} {
		core[strings.ToLower(k)], _ = strconv.Atoi(header["X-RateLimit-"+k])
	}
	return ok(map[string]any{"resources": map[string]any{"core": core}, "rate": core})
}

// paged cuts one page out of all and links to the others (RFC 8288), as
// GitHub does: 30 a page, 100 at most.
func paged[T any](s *Server, c *call, key string, all []T, extra map[string]any) reply {
	q := c.URL.Query()
	size, _ := strconv.Atoi(q.Get("per_page"))
	if size < 1 {
		size = 30
	}
	size = min(size, 100)
	page, _ := strconv.Atoi(q.Get("page"))
	page = max(page, 1)
	from := min((page-1)*size, len(all))
	body := map[string]any{"total_count": len(all), key: all[from:min(from+size, len(all))]}
	for k, v := range extra {
		body[k] = v
	}
	p := ok(body)
	if key == "" { // a bare list
		p = ok(all[from:min(from+size, len(all))])
	}
	if link := s.links(c.URL, q, page, max(1, (len(all)+size-1)/size)); link != "" {
		p = p.with("Link", link)
	}
	return p
}

func (s *Server) links(u *url.URL, q url.Values, page, last int) string {
	base := s.apiURL
	if strings.HasPrefix(u.Path, "/api/v3/") {
		base = s.url
	}
	var parts []string
	add := func(rel string, n int) {
		q.Set("page", strconv.Itoa(n))
		parts = append(parts, fmt.Sprintf(`<%s%s?%s>; rel="%s"`, base, u.EscapedPath(), q.Encode(), rel))
	}
	if page > 1 {
		add("prev", page-1)
	}
	if page < last {
		add("next", page+1)
		add("last", last)
	}
	if page > 1 {
		add("first", 1)
	}
	return strings.Join(parts, ", ")
}
