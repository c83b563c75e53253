package git

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/ghscoped/ghscoped-service/internal/webaddr"
)

// Helper is one credential.helper of a configuration.
type Helper struct {
	// Value is what git runs; it may hold a secret, so people are told of Name.
	Value string
	// Pattern is the address that it is for; empty: any.
	Pattern string
	// Origin is the file that it stands in; empty: the environment.
	Origin string
}

// Name is the helper as people know it: its first word, or where it is a piece of
// shell that it is one.
func (h Helper) Name() string {
	text, ofShell := strings.CutPrefix(strings.TrimSpace(h.Value), "!")
	word, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	word = strings.Trim(word, `"'`)
	if ofShell && strings.ContainsAny(word, "(){};=$") {
		return "a command of the shell"
	}
	return word
}

// Where is where the helper was set.
func (h Helper) Where() string {
	if h.Origin == "" {
		return "the environment"
	}
	return h.Origin
}

// Helpers are those of one address.
type Helpers struct {
	// Asked are called in this order, until one has a credential; all of them are
	// told of one that was good, and may keep a copy.
	Asked []Helper
	// Narrower are called for some paths of the address, or for one user name, only,
	// say for those of another account.
	Narrower []Helper
	// SwitchedOff are narrower ones that are not called, since an empty helper for the
	// whole address comes behind them.
	SwitchedOff []Helper
}

// Helpers are the credential helpers that git calls for an address.
func (p Program) Helpers(ctx context.Context, address *url.URL) (Helpers, error) {
	settings, err := p.settings(ctx)
	if err != nil {
		return Helpers{}, err
	}
	var found Helpers
	matches := map[string]bool{"": true}
	for _, s := range settings {
		helper, ok := helperOf(s)
		if !ok {
			continue
		}
		applies, known := matches[helper.Pattern]
		if !known {
			if applies, err = p.matches(ctx, helper.Pattern, address); err != nil {
				return Helpers{}, err
			}
			matches[helper.Pattern] = applies
		}
		switch {
		case applies && helper.Value == "":
			found = Helpers{SwitchedOff: append(found.SwitchedOff, found.Narrower...)}
		case applies:
			found.Asked = append(found.Asked, helper)
		case below(address, helper.Pattern) && helper.Value != "":
			found.Narrower = append(found.Narrower, helper)
		case below(address, helper.Pattern):
			found.Narrower = slices.DeleteFunc(found.Narrower, func(h Helper) bool { return h.Pattern == helper.Pattern })
		}
	}
	return found, nil
}

// setting is one value of a configuration.
type setting struct{ key, value, origin string }

// settings are all that git reads, in its order, in which later ones win.
func (p Program) settings(ctx context.Context) ([]setting, error) {
	out, err := p.run(ctx, nil, "config", "--null", "--show-origin", "--list")
	if err != nil {
		return nil, err
	}
	var all []setting
	parts := strings.Split(out, "\x00")
	for i := 0; i+1 < len(parts); i += 2 {
		key, value, _ := strings.Cut(parts[i+1], "\n")
		origin, _ := strings.CutPrefix(parts[i], "file:")
		if strings.HasPrefix(origin, "command line:") {
			origin = ""
		}
		all = append(all, setting{key, value, origin})
	}
	return all, nil
}

func helperOf(s setting) (Helper, bool) {
	rest, found := strings.CutPrefix(s.key, "credential.")
	if !found {
		return Helper{}, false
	}
	if rest == "helper" {
		return Helper{Value: s.value, Origin: s.origin}, true
	}
	pattern, found := strings.CutSuffix(rest, ".helper")
	return Helper{Value: s.value, Pattern: pattern, Origin: s.origin}, found
}

// matches asks git whether settings for a pattern are for an address, by a setting
// of our own for that pattern.
func (p Program) matches(ctx context.Context, pattern string, address *url.URL) (bool, error) {
	out, err := p.run(ctx, nil, "-c", "credential."+pattern+".ghscopedAsks=yes",
		"config", "--get-urlmatch", "credential.ghscopedAsks", address.String())
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	return err == nil && strings.TrimSpace(out) == "yes", nil // an error is no match
}

// below reports whether a pattern is for a part of an address only.
func below(address *url.URL, pattern string) bool {
	of, err := url.Parse(pattern)
	return err == nil && of.Scheme == address.Scheme && webaddr.SameHost(of.Scheme, of.Host, address.Host) &&
		(of.User != nil || strings.Trim(of.Path, "/") != "")
}

// Value is one setting; ok is false where there is none.
func (p Program) Value(ctx context.Context, name string) (value string, ok bool) {
	return p.value(ctx, "--get", name)
}

// ValueIn is one setting of one file; ok is false where there is none.
func (p Program) ValueIn(ctx context.Context, file, name string) (value string, ok bool) {
	out, err := p.run(ctx, nil, "config", "--file", file, "--null", "--get", name)
	return strings.TrimSuffix(out, "\x00"), err == nil
}

// SetOutside reports whether there is a setting anywhere but in one file; where git
// cannot tell, there is.
func (p Program) SetOutside(ctx context.Context, file, name string) bool {
	settings, err := p.settings(ctx)
	return err != nil || slices.ContainsFunc(settings, func(s setting) bool { return s.key == name && s.origin != file })
}

// Setting is one setting for an address; ok is false where there is none.
func (p Program) Setting(ctx context.Context, name string, address *url.URL) (value string, ok bool) {
	return p.value(ctx, "--get-urlmatch", name, address.String())
}

func (p Program) value(ctx context.Context, args ...string) (value string, ok bool) {
	out, err := p.run(ctx, nil, append([]string{"config", "--null"}, args...)...)
	return strings.TrimSuffix(out, "\x00"), err == nil
}

// Bool is a setting for an address as git understands it; false where there is none.
func (p Program) Bool(ctx context.Context, name string, address *url.URL) bool {
	out, err := p.run(ctx, nil, "config", "--type=bool", "--get-urlmatch", name, address.String())
	return err == nil && strings.TrimSpace(out) == "true"
}
