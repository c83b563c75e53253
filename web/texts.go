package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"html/template"
	"io/fs"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/language"
)

// supported are the languages with a file in texts/; the first is what is
// spoken to somebody whose language is missing.
var supported = []language.Tag{language.English, language.German}

// longest is how many characters of a name that others chose are shown; more
// is cut with an ellipsis. The Hub's and GitHub's own limits are lower.
const longest = 255

// longestMessage is the same for a sentence.
const longestMessage = 500

// translation is all texts of one language.
type translation struct {
	tag   language.Tag
	name  string
	texts map[string]string
}

func readTexts(files fs.FS) ([]*translation, error) {
	var all []*translation
	for _, tag := range supported {
		t := &translation{tag: tag, name: tag.String()}
		content, err := fs.ReadFile(files, "texts/"+t.name+".json")
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(content, &t.texts); err != nil {
			return nil, fmt.Errorf("texts/%s.json: %w", t.name, err)
		}
		all = append(all, t)
	}
	return all, sameKeys(all)
}

func sameKeys(all []*translation) error {
	var faults []error
	first := all[0]
	for _, t := range all[1:] {
		for key := range first.texts {
			if t.texts[key] == "" {
				faults = append(faults, fmt.Errorf("texts/%s.json lacks %q", t.name, key))
			}
		}
		for key := range t.texts {
			if first.texts[key] == "" && !ofProblem.MatchString(key) {
				faults = append(faults, fmt.Errorf("texts/%s.json lacks %q", first.name, key))
			}
		}
	}
	return errors.Join(faults...)
}

// ofProblem are the keys of translated errors. Their English is the error's own
// message and hint, so it stands where the error is made and nowhere else.
var ofProblem = regexp.MustCompile(`^problem\.[a-z_]+\.(message|hint)$`)

var (
	placeholder = regexp.MustCompile(`\{[a-z]+\}`)
	code        = regexp.MustCompile("`([^`]+)`")
)

// html is a text with its placeholders filled from name, value, name, value …
// A value is isolated from the direction of the text and escaped, unless it is
// template.HTML. Words between backticks become code.
func (t *translation) html(key string, pairs ...any) (template.HTML, error) {
	text, err := t.lookup(key)
	if err != nil {
		return "", err
	}
	text = code.ReplaceAllString(html.EscapeString(text), "<code>$1</code>")
	filled, err := fill(text, pairs, func(value any) string {
		switch value := value.(type) {
		case template.HTML:
			return string(value)
		case int:
			return fmt.Sprint(value)
		default:
			return string(foreign(fmt.Sprint(value)))
		}
	})
	return template.HTML(filled), err
}

// plain is the same as text, for attributes and titles.
func (t *translation) plain(key string, pairs ...any) (string, error) {
	text, err := t.lookup(key)
	if err != nil {
		return "", err
	}
	return fill(strings.ReplaceAll(text, "`", ""), pairs, func(value any) string {
		return clip(fmt.Sprint(value), longest)
	})
}

func (t *translation) lookup(key string) (string, error) {
	text, found := t.texts[key]
	if !found {
		return "", fmt.Errorf("no text %q in %s", key, t.name)
	}
	return text, nil
}

// fill replaces each {name} once, so that a value is never filled in turn.
func fill(text string, pairs []any, show func(any) string) (string, error) {
	var missing error
	filled := placeholder.ReplaceAllStringFunc(text, func(match string) string {
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i] == match[1:len(match)-1] {
				return show(pairs[i+1])
			}
		}
		missing = fmt.Errorf("no value for %s in %q", match, text)
		return match
	})
	return filled, missing
}

// foreign is a name that somebody else chose.
func foreign(name string) template.HTML {
	return template.HTML("<bdi>" + html.EscapeString(clip(name, longest)) + "</bdi>")
}

// clip shortens to so many characters.
func clip(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}
