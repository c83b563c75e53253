package githubsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
)

// reply is what a handler decided, so that nothing is written to a slow
// client while the state is locked. Exactly one of the bodies is set, or none.
type reply struct {
	status   int
	header   http.Header
	json     any
	oauth    map[string]any // form-encoded unless JSON is asked for
	template string
	data     any
	raw      []byte
}

func (p reply) with(key, value string) reply {
	h := http.Header{}
	if p.header != nil {
		h = p.header.Clone()
	}
	h.Add(key, value)
	p.header = h
	return p
}

// fail is an error in the form of GitHub's REST API.
func fail(status int, message string) reply {
	return reply{status: status, json: map[string]any{
		"message": message, "documentation_url": "https://docs.github.com/rest", "status": fmt.Sprint(status)}}
}

func ok(body any) reply { return reply{status: http.StatusOK, json: body} }

func redirect(to string) reply { return reply{status: http.StatusSeeOther}.with("Location", to) }

// write renders a reply.
func (s *Server) write(w http.ResponseWriter, r *http.Request, p reply) {
	for k, v := range p.header {
		w.Header()[k] = v
	}
	body, kind := p.raw, "text/plain; charset=utf-8"
	switch {
	case p.json != nil:
		body, _ = json.Marshal(p.json)
		kind = "application/json; charset=utf-8"
	case p.oauth != nil:
		body, kind = encodeOAuth(p.oauth, strings.Contains(r.Header.Get("Accept"), "json"))
	case p.template != "":
		body = s.render(p.template, p.data)
		kind = "text/html; charset=utf-8"
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self' http: https:; frame-ancestors 'none'")
		w.Header().Set("Cache-Control", "no-store")
	}
	if w.Header().Get("Content-Type") == "" && body != nil {
		w.Header().Set("Content-Type", kind)
	}
	w.WriteHeader(p.status)
	_, _ = w.Write(body)
}

// encodeOAuth is the answer of the two OAuth endpoints (RFC 6749 says JSON, GitHub asks for Accept).
func encodeOAuth(values map[string]any, asJSON bool) ([]byte, string) {
	if asJSON {
		body, _ := json.Marshal(values)
		return body, "application/json; charset=utf-8"
	}
	form := url.Values{}
	for k, v := range values {
		form.Set(k, fmt.Sprint(v))
	}
	return []byte(form.Encode()), "application/x-www-form-urlencoded; charset=utf-8"
}

func (s *Server) render(name string, data any) []byte {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, data); err != nil {
		return []byte("template: " + template.HTMLEscapeString(err.Error()))
	}
	return b.Bytes()
}

// params are a request's parameters however it sent them: query, form or JSON.
func params(r *http.Request) url.Values {
	if strings.Contains(r.Header.Get("Content-Type"), "json") {
		values := r.URL.Query()
		var body map[string]any
		decoder := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<20))
		decoder.UseNumber()
		if decoder.Decode(&body) == nil {
			for k, v := range body {
				values.Set(k, fmt.Sprint(v))
			}
		}
		r.Form = values // read once, used by the poll timer and by the handler
		r.Header.Del("Content-Type")
		return values
	}
	if r.Form == nil {
		_ = r.ParseForm()
	}
	return r.Form
}
