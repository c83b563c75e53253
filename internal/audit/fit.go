package audit

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
)

const (
	// maxLine bounds an event as it is written, in bytes, without its end of line:
	// 4 KiB also where it is remembered, sealed. Callers choose much of what is in
	// an event, and those who are refused, too.
	maxLine = 4000
	// maxText bounds a text, in bytes, and is more than any repository's name;
	// leastText where that is still too much, as JSON takes six bytes for some.
	maxText, leastText = 220, 32
)

// fit is an event cut until it fits into maxLine, and its line. Lists are cut at
// their end, and what is left out is counted.
func fit(event Event) (Event, []byte, error) {
	for _, most := range []int{maxText, leastText} {
		event = clip(event, most)
		for more := true; more; more = shorten(&event) {
			encoded, err := json.Marshal(line{Audit: true, Event: event})
			if err != nil || len(encoded) <= maxLine {
				return event, encoded, err
			}
		}
	}
	return event, nil, errors.New("an event that does not fit into a line") // it has other fields than clip knows
}

// shorten leaves out an eighth of the repositories, or of the permissions where
// no repository is left, or in the end the claims. False: there is nothing to leave
// out.
func shorten(event *Event) bool {
	if n := len(event.Repositories); n > 0 {
		out := (n + 7) / 8
		event.Repositories = event.Repositories[:n-out]
		event.RepositoriesLeftOut += out
		return true
	}
	if len(event.Permissions) == 0 && len(event.Claims) > 0 {
		event.Claims = nil
		return true
	}
	names := slices.Sorted(maps.Keys(event.Permissions))
	out := (len(names) + 7) / 8
	event.Permissions = maps.Clone(event.Permissions)
	for _, name := range names[len(names)-out:] {
		delete(event.Permissions, name)
	}
	event.PermissionsLeftOut += out
	return out > 0
}

// clip cuts every text of an event, and shares nothing with the one it was given.
func clip(e Event, most int) Event {
	for _, field := range []*string{&e.Action, &e.User, &e.FlowID, &e.Account, &e.Server, &e.Method, &e.TokenHash,
		&e.Outcome, &e.Code, &e.Reason, &e.Caller, &e.By, &e.Rule, &e.RequestID, &e.Why} {
		*field = cut(*field, most)
	}
	e.Repositories = slices.Clone(e.Repositories)
	for i := range e.Repositories {
		e.Repositories[i] = cut(e.Repositories[i], most)
	}
	permissions := cutAll(e.Permissions, most)
	e.PermissionsLeftOut += len(e.Permissions) - len(permissions)
	e.Permissions, e.Claims = permissions, cutAll(e.Claims, most)
	return e
}

// cutAll cuts names and values; nil stays nil.
func cutAll(texts map[string]string, most int) map[string]string {
	if texts == nil {
		return nil
	}
	cutTexts := make(map[string]string, len(texts))
	for name, text := range texts {
		cutTexts[cut(name, most)] = cut(text, most)
	}
	return cutTexts
}

// cut ends a text that is too long between two letters, and shows that it did.
func cut(text string, most int) string {
	const mark = "…"
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most-len(mark)], "") + mark
}
