package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// colours of the outcomes (ECMA-48, SGR).
var colours = map[Outcome]string{OK: "32", Warn: "33", Fail: "31", Skip: "2"}

// Line writes a finding as one line of text.
func Line(w io.Writer, f Finding, coloured bool) error {
	outcome := fmt.Sprintf("%-4s", f.Outcome)
	if coloured {
		outcome = "\x1b[" + colours[f.Outcome] + "m" + outcome + "\x1b[0m"
	}
	text := f.What
	if f.Fix != "" {
		text += " What to do: " + f.Fix
	}
	_, err := fmt.Fprintf(w, "%s  %-16s %s\n", outcome, f.Check, oneLine(text))
	return err
}

// JSON writes all findings as one object.
func JSON(w io.Writer, findings []Finding) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(struct {
		Well   bool      `json:"well"`
		Checks []Finding `json:"checks"`
	}{Well(findings), findings})
}

// oneLine leaves nothing in a text that a terminal would obey.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

// sentence makes one of an error's text.
func sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	text = string(unicode.ToUpper(first)) + text[size:]
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text
}
