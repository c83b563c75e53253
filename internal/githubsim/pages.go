package githubsim

import (
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"strings"
)

//go:embed templates
var files embed.FS

var pages = template.Must(template.ParseFS(files, "templates/*.html"))

const sessionCookie = "githubsim_session"

// session is one signed-in browser.
type session struct {
	id       string
	login    string
	csrf     string
	userCode string // between entering a code and confirming it
}

// pageData is what every template gets; Body belongs to the one template.
type pageData struct {
	Title string
	Login string
	CSRF  string
	Error string
	Body  any
}

// page builds a reply from a template for the signed-in person, if any.
func (n *session) page(name, title string, body any) reply {
	d := pageData{Title: title, Body: body}
	if n != nil {
		d.Login, d.CSRF = n.login, n.csrf
	}
	return reply{status: http.StatusOK, template: name, data: d}
}

func (p reply) withError(status int, message string) reply {
	d := p.data.(pageData)
	d.Error = message
	p.status, p.data = status, d
	return p
}

func (s *Server) pageError(status int, message string) reply {
	var nobody *session
	return nobody.page("message.html", http.StatusText(status), nil).withError(status, message)
}

// personHandler serves a page to a signed-in person; the state is locked.
type personHandler func(n *session, r *http.Request) reply

// forPerson signs people in first and refuses forms that did not come from our pages.
func (s *Server) forPerson(h personHandler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.write(w, r, s.asPerson(h, r))
	}
}

func (s *Server) asPerson(h personHandler, r *http.Request) reply {
	_ = r.ParseForm()
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.session(r)
	switch {
	case n == nil && r.Method == http.MethodGet:
		return redirect("/login?" + url.Values{"return_to": {r.URL.RequestURI()}}.Encode())
	case n == nil:
		return s.pageError(http.StatusUnauthorized, "Sign in first.")
	case r.Method == http.MethodPost && r.PostFormValue("authenticity_token") != n.csrf:
		return s.pageError(http.StatusUnprocessableEntity, "This form is stale. Go back, reload the page and try again.")
	}
	return h(n, r)
}

func (s *Server) session(r *http.Request) *session {
	c, err := r.Cookie(sessionCookie)
	if err != nil {
		return nil
	}
	return s.sessions[c.Value]
}

// signInPage lets anybody be anybody: choosing a name is the whole sign-in.
func (s *Server) signInPage(w http.ResponseWriter, r *http.Request) {
	s.write(w, r, s.signInForm(r))
}

func (s *Server) signInForm(r *http.Request) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	var people []*Account
	for _, login := range s.order {
		if a := s.account(login); !a.Org {
			people = append(people, a)
		}
	}
	var nobody *session
	return nobody.page("signin.html", "Sign in", map[string]any{"People": people, "ReturnTo": localPath(r.URL.Query().Get("return_to"))})
}

func (s *Server) signIn(w http.ResponseWriter, r *http.Request) {
	login := r.PostFormValue("login")
	s.mu.Lock()
	a := s.account(login)
	if a == nil || a.Org {
		s.mu.Unlock()
		s.write(w, r, s.pageError(http.StatusUnprocessableEntity, "There is no such person."))
		return
	}
	n := &session{id: randomHex(40), login: a.Login, csrf: randomHex(40)}
	s.sessions[n.id] = n
	s.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: n.id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: s.opts.TLS})
	back := localPath(r.PostFormValue("return_to"))
	if u, err := url.Parse(back); err == nil && u.Path == "/login/oauth/authorize" {
		back = chosenAccount(u) // signing in was the choice
	}
	s.write(w, r, redirect(back))
}

func (s *Server) signOut(n *session, _ *http.Request) reply {
	delete(s.sessions, n.id)
	return redirect("/login")
}

// localPath keeps a redirect on this host.
func localPath(p string) string {
	if !strings.HasPrefix(p, "/") || strings.HasPrefix(p, "//") || strings.ContainsAny(p, "\\\r\n") {
		return "/"
	}
	return p
}

func (s *Server) homePage(n *session, _ *http.Request) reply {
	var repos []*repository
	for _, repo := range s.sortedRepos() {
		if s.role(n.login, repo) > 0 || !repo.Private {
			repos = append(repos, repo)
		}
	}
	var apps []*App
	for _, id := range s.appOrder {
		apps = append(apps, s.apps[id])
	}
	return n.page("home.html", "Home", map[string]any{"Repos": repos, "Apps": apps})
}

func (s *Server) devicePage(n *session, _ *http.Request) reply {
	n.userCode = ""
	return n.page("device.html", "Connect a device", nil) // never prefilled, whatever the query says
}

func (s *Server) enterCode(n *session, r *http.Request) reply {
	d := s.pendingDevice(r.PostFormValue("user_code"))
	if d == nil {
		return n.page("device.html", "Connect a device", nil).withError(http.StatusUnprocessableEntity,
			"That code is unknown, has expired or was used. Check it, or ask for a new one.")
	}
	w := s.hour(s.entries, d.app.ClientID)
	if w.count >= s.opts.Limits.CodeEntriesPerHour {
		return n.page("device.html", "Connect a device", nil).withError(http.StatusTooManyRequests,
			"Too many codes were entered for this App within the hour. Try again later.")
	}
	w.count++
	n.userCode = d.userCode
	return redirect("/login/device/confirmation")
}

func (s *Server) confirmPage(n *session, _ *http.Request) reply {
	d := s.pendingDevice(n.userCode)
	if d == nil {
		return redirect("/login/device")
	}
	return n.page("confirm.html", "Authorize "+d.app.Name, map[string]any{
		"App": d.app, "Action": "/login/device/confirmation", "Device": true})
}

func (s *Server) confirm(n *session, r *http.Request) reply {
	d := s.pendingDevice(n.userCode)
	n.userCode = ""
	if d == nil {
		return redirect("/login/device")
	}
	if r.PostFormValue("authorize") != "1" {
		d.state = "denied"
		return n.page("message.html", "Cancelled", map[string]any{"ID": "device-cancelled", "Text": "The device was not connected. You can close this tab."})
	}
	d.state, d.login = "approved", n.login
	return n.page("message.html", "Connected", map[string]any{"ID": "device-done", "Text": "Your device is now connected. You can close this tab."})
}

// authorizePage is GET /login/oauth/authorize. Who authorised the App before is
// sent straight back, unless ten tokens were made within the hour. Before that
// the person chooses an account where the App asks for it (prompt), or where the
// one it suggests (login) is not signed in.
func (s *Server) authorizePage(n *session, r *http.Request) reply {
	q := r.URL.Query()
	a, err := s.checkAuthorize(q)
	if err != nil {
		return s.refuseAuthorize(err)
	}
	if q.Get("prompt") == "select_account" || (a.login != "" && !strings.EqualFold(a.login, n.login)) {
		return n.page("picker.html", "Select an account", map[string]any{"App": a.app, "Login": n.login, "Chosen": chosenAccount(r.URL)})
	}
	if s.grants[grantKey{a.app.ClientID, strings.ToLower(n.login)}] && s.issuedLastHour(a.app, n.login) < s.opts.Limits.TokensPerHour {
		return redirect(s.grantCode(a, n.login))
	}
	return n.page("confirm.html", "Authorize "+a.app.Name, map[string]any{
		"App": a.app, "Action": "/login/oauth/authorize?" + a.query, "Device": false, "RedirectURI": a.redirectURI})
}

// chosenAccount is an address of ours once the person has chosen an account.
func chosenAccount(address *url.URL) string {
	q := address.Query()
	q.Del("prompt")
	q.Del("login")
	return address.Path + "?" + q.Encode()
}

func (s *Server) authorize(n *session, r *http.Request) reply {
	a, err := s.checkAuthorize(r.URL.Query())
	if err != nil {
		return s.refuseAuthorize(err)
	}
	if r.PostFormValue("authorize") != "1" {
		return redirect(a.back(url.Values{"error": {"access_denied"}, "error_uri": {webErrorsURI},
			"error_description": {"The user has denied your application access."}}))
	}
	return redirect(s.grantCode(a, n.login))
}

func (s *Server) refuseAuthorize(err error) reply {
	if err == errUnknownApp {
		return s.pageError(http.StatusNotFound, "There is no App with this client id.")
	}
	return s.pageError(http.StatusBadRequest, err.Error())
}

func (s *Server) grantsPage(n *session, _ *http.Request) reply {
	var apps []*App
	for _, id := range s.appOrder {
		if s.grants[grantKey{id, strings.ToLower(n.login)}] {
			apps = append(apps, s.apps[id])
		}
	}
	return n.page("grants.html", "Authorized GitHub Apps", apps)
}

func (s *Server) dropGrant(n *session, r *http.Request) reply {
	if app := s.apps[r.PostFormValue("client_id")]; app != nil {
		s.endGrant(app, n.login, "grant revoked")
	}
	return redirect("/settings/apps/authorizations")
}

func (s *Server) style(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "max-age=3600")
	http.ServeFileFS(w, r, files, "templates/style.css")
}
