package check

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// State is how a check came out.
type State string

const (
	OK State = "ok"
	// Warn is something that people should know and that keeps nothing from
	// working.
	Warn State = "warn"
	Fail State = "fail"
	// Skip: the check could not be made, since another one failed or the running
	// service is in the way.
	Skip State = "skip"
)

// Result is what one check found.
type Result struct {
	Name    string `json:"name"`
	State   State  `json:"state"`
	Message string `json:"message"`
	// Fix is what to do; empty where that is nothing.
	Fix string `json:"fix,omitempty"`
}

// Passed is a result of the state [OK].
func Passed(message string) Result { return Result{State: OK, Message: message} }

// Warned is a result of the state [Warn].
func Warned(message, fix string) Result { return Result{State: Warn, Message: message, Fix: fix} }

// Failed is a result of the state [Fail].
func Failed(message, fix string) Result { return Result{State: Fail, Message: message, Fix: fix} }

// Skipped is a result of the state [Skip].
func Skipped(message string) Result { return Result{State: Skip, Message: message} }

// Report is what all checks found, in their order.
type Report struct {
	// OK: none failed.
	OK     bool     `json:"ok"`
	Checks []Result `json:"checks"`
}

// NewReport returns the report of results.
func NewReport(results []Result) Report {
	report := Report{OK: true, Checks: results}
	for _, result := range results {
		if result.State == Fail {
			report.OK = false
		}
	}
	return report
}

// WriteJSON writes a report as one object on one line.
func (r Report) WriteJSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

// colours of the states (ECMA-48, SGR).
var colours = map[State]string{OK: "32", Warn: "33", Fail: "31", Skip: "2"}

// WriteText writes a result for people: a line, and one more for what to do.
func (r Result) WriteText(w io.Writer, coloured bool) error {
	state := fmt.Sprintf("%-4s", r.State)
	if coloured {
		state = "\x1b[" + colours[r.State] + "m" + state + "\x1b[0m"
	}
	text := fmt.Sprintf("%s  %s: %s\n", state, r.Name, printable(r.Message))
	if r.Fix != "" {
		text += "      " + printable(r.Fix) + "\n"
	}
	_, err := io.WriteString(w, text)
	return err
}

// printable leaves nothing in a text that a terminal would obey.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}
