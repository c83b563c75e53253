package web

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
)

// funcs are what the templates can call.
func (t *translation) funcs() template.FuncMap {
	return template.FuncMap{
		"t":         t.html,
		"plain":     t.plain,
		"foreign":   foreign,
		"clip":      func(text string) string { return clip(text, longest) },
		"server":    t.server,
		"named":     t.serverPlain,
		"status":    t.status,
		"problem":   t.problem,
		"clock":     clock,
		"countdown": t.countdown,
		"whole":     func(d time.Duration) int { return int(d.Seconds()) },
		"parts":     func(code string) []string { return strings.Split(clip(code, 32), "-") },
		"group":     newShownGroup,
		"stuck":     stuck,
		"then":      afterwards,
		"tone":      func(key string) string { return strings.TrimPrefix(key, "steps.") },
		"seconds":   seconds,
		"iso":       iso,
		"spell":     t.spell,
		"groups":    groups,
		"count":     count,
		"steps":     steps,
		"leading":   leading,
		"row":       newShownServer,
		"live":      live,
		"waiting":   waiting,
		"ready":     ready,
		"lasting":   lasting,
		"chosen":    chosen,
		"asks":      asks,
		"join":      func(names []string) string { return clip(strings.Join(names, ", "), longest) },
		"ended":     ended,
		"endsSoon":  endsSoon,
		"soonAt":    soonAt,
		"told":      t.told,
		"news":      t.news,
		"message":   message,
		"allOf":     allOf,
		"number":    newNumber,
		"initial":   initial,
	}
}

// message is a sentence that somebody else wrote.
func message(text string) template.HTML {
	return template.HTML("<bdi>" + template.HTMLEscapeString(clip(text, longestMessage)) + "</bdi>")
}

// allOf is the owner of all repositories that a pattern means; "": it is one.
func allOf(pattern string) string {
	owner, all := strings.CutSuffix(pattern, "/*")
	if !all {
		return ""
	}
	return owner
}

// number is how many there were, or at least were.
type number struct {
	N       int
	AtLeast bool
}

func newNumber(n int, atLeast bool) number { return number{n, atLeast} }

// server names a server within a text; the default one has no name.
func (t *translation) server(name string) (template.HTML, error) {
	if name == "" {
		return t.html("server.default")
	}
	return t.html("server.named", "name", name)
}

func (t *translation) serverPlain(name string) (string, error) {
	if name == "" {
		return t.plain("server.default")
	}
	return t.plain("server.named.plain", "name", name)
}

// status is what a server's state means for the person.
func (t *translation) status(s Server) (string, error) {
	key := "server." + string(s.State)
	switch {
	case s.State == ServerNone && s.Running:
		key += ".running"
	case (s.State == ServerDelivered || s.State == ServerRemoving || s.State == ServerAllowed) && !s.Running:
		key += ".stopped"
	}
	return t.plain(key)
}

// explanation is a [Problem] in the person's language.
type explanation struct {
	Code, Message, Hint, Admin string
}

// problem explains p; nil for nil.
func (t *translation) problem(p *Problem) *explanation {
	if p == nil {
		return nil
	}
	e := &explanation{
		Code:    clip(p.Code, longest),
		Message: clip(p.Message, longestMessage),
		Hint:    clip(p.Hint, longestMessage),
	}
	if known := t.texts["problem."+p.Code+".message"]; known != "" {
		e.Message, e.Hint = known, t.texts["problem."+p.Code+".hint"]
	}
	if apierror.ForAdmins(p.Code) {
		e.Hint, e.Admin = t.texts["problem.tell"], e.Hint
	}
	if e.Message == "" {
		e.Message = t.texts["problem.generic"]
	}
	return e
}

// told is what ended a flow, unless the page says that in its own words.
func (t *translation) told(v View) *explanation {
	if v.Flow == nil || v.Flow.Problem == nil || v.Flow.Problem.Code == apierror.CodeCodeExpired || v.Flow.Problem.Code == apierror.CodeDenied {
		return nil
	}
	return t.problem(v.Flow.Problem)
}

// clock is a point in time in UTC, which the script turns into the person's
// own zone.
func clock(at, now time.Time) template.HTML {
	at, now = at.UTC(), now.UTC()
	format := "15:04 UTC"
	if at.YearDay() != now.YearDay() || at.Year() != now.Year() {
		format = "2006-01-02 15:04 UTC"
	}
	return template.HTML(fmt.Sprintf(`<time datetime="%s" data-clock>%s</time>`, iso(at), at.Format(format)))
}

func iso(at time.Time) string { return at.UTC().Format(time.RFC3339) }

// left is a stretch of hours and minutes until a time.
func (t *translation) left(until, now time.Time) (string, error) {
	minutes := int(until.Sub(now).Minutes())
	switch {
	case minutes <= 0:
		return t.plain("time.over")
	case minutes < 60:
		return t.plain("time.m", "m", minutes)
	}
	return t.plain("time.hm", "h", minutes/60, "m", minutes%60)
}

// minutes is a short stretch, as minutes and seconds.
func minutes(until, now time.Time) string {
	s := max(0, int(until.Sub(now).Seconds()))
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// countdown is the time left in the given form, left or minutes, which the
// script keeps up to date.
func (t *translation) countdown(form string, until, now time.Time) (template.HTML, error) {
	text := minutes(until, now)
	if form == "left" {
		var err error
		if text, err = t.left(until, now); err != nil {
			return "", err
		}
	}
	return template.HTML(fmt.Sprintf(`<span role="timer" data-until="%s" data-form="%s">%s</span>`, iso(until), form, template.HTMLEscapeString(text))), nil
}

// seconds is how many whole ones lie between two times, at least 0.
func seconds(from, until time.Time) int { return max(0, int(until.Sub(from).Seconds())) }

// spell says a code letter by letter, for a screen reader.
func (t *translation) spell(code string) string {
	var letters []string
	for _, r := range clip(code, 32) {
		if r == '-' {
			letters = append(letters, t.texts["pending.dash"])
			continue
		}
		letters = append(letters, string(r))
	}
	return strings.Join(letters, ", ")
}

// group is the repositories of one owner.
type group struct {
	Owner string
	Names []string
}

// shownGroup is a group with what its element needs.
type shownGroup struct {
	group
	ID   string
	Open bool
}

func newShownGroup(kind string, index int, g group, open bool) shownGroup {
	return shownGroup{group: g, ID: fmt.Sprintf("%s-%d", kind, index), Open: open}
}

// groups are the repositories of one kind by owner: those that can be pushed to,
// those that are archived, or the others.
func groups(repositories []Repository, kind string) []group {
	byOwner := make(map[string][]string)
	for _, r := range repositories {
		if (kind == "push") == r.Push && (kind == "archived") == r.Archived {
			owner, name, found := strings.Cut(r.FullName, "/")
			if !found {
				name = owner
			}
			byOwner[owner] = append(byOwner[owner], name)
		}
	}
	all := make([]group, 0, len(byOwner))
	for owner, names := range byOwner {
		slices.SortFunc(names, foldCompare)
		all = append(all, group{owner, names})
	}
	slices.SortFunc(all, func(a, b group) int { return foldCompare(a.Owner, b.Owner) })
	return all
}

func foldCompare(a, b string) int {
	return cmp.Or(cmp.Compare(strings.ToLower(a), strings.ToLower(b)), cmp.Compare(a, b))
}

func count(groups []group) (n int) {
	for _, g := range groups {
		n += len(g.Names)
	}
	return n
}

// initial stands for a picture.
func initial(name string) string {
	for _, r := range name {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return string(unicode.ToUpper(r))
		}
	}
	return "?"
}
