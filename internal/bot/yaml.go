package bot

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Problem is something wrong with a file.
type Problem struct {
	Line    int // counted from 1; 0: the file as a whole
	Message string
}

// Problems is everything wrong with a file, in the order of its lines.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Message
		if problem.Line > 0 {
			lines[i] = fmt.Sprintf("line %d: %s", problem.Line, problem.Message)
		}
	}
	return strings.Join(lines, "\n")
}

// reader walks a YAML document and collects what is wrong with it. It is
// stricter than decoding into structs: nothing unknown, nothing twice, no value
// of another type, no anchors, and every problem has its line.
type reader struct {
	problems Problems
}

func (r *reader) problem(line int, format string, args ...any) {
	r.problems = append(r.problems, Problem{line, fmt.Sprintf(format, args...)})
}

// err is all problems in the order of their lines; nil: none.
func (r *reader) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(r.problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return r.problems
}

// document is the one document of a file of at most limit bytes, or nil.
func (r *reader) document(data []byte, limit int) *yaml.Node {
	if len(data) > limit {
		r.problem(0, "the file is larger than %d bytes", limit)
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, second yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) || (err == nil && len(document.Content) == 0) {
		r.problem(0, "the file is empty")
		return nil
	} else if err != nil {
		r.syntax(err)
		return nil
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		r.problem(second.Line, "the file holds more than one document")
		return nil
	}
	return document.Content[0]
}

// syntax takes the line out of the parser's message.
func (r *reader) syntax(err error) {
	line, message := 0, strings.TrimPrefix(err.Error(), "yaml: ")
	if number, rest, found := strings.Cut(strings.TrimPrefix(message, "line "), ": "); found {
		if n, err := strconv.Atoi(number); err == nil {
			line, message = n, rest
		}
	}
	r.problem(line, "this is not YAML: %s", message)
}

// fields are the keys that a mapping may have, each with what reads its value.
type fields map[string]func(*yaml.Node)

// mapping reads a mapping with known keys.
func (r *reader) mapping(n *yaml.Node, what string, known fields, required ...string) {
	seen := map[string]bool{}
	r.pairs(n, what, func(key, value *yaml.Node) {
		read, ok := known[key.Value]
		if !ok {
			r.problem(key.Line, "%s knows no key %.60q; it has %s", what, key.Value, strings.Join(sortedKeys(known), ", "))
			return
		}
		seen[key.Value] = true
		read(value)
	})
	for _, key := range required {
		if !seen[key] && n.Kind == yaml.MappingNode {
			r.problem(n.Line, "%s lacks the key %q", what, key)
		}
	}
}

// pairs reads a mapping with any keys, none of them twice.
func (r *reader) pairs(n *yaml.Node, what string, each func(key, value *yaml.Node)) {
	if !r.is(n, yaml.MappingNode, what, "a mapping") {
		return
	}
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str" || key.Anchor != "" {
			r.problem(key.Line, "a key of %s is no plain text", what)
			continue
		}
		if first, twice := lines[key.Value]; twice {
			r.problem(key.Line, "the key %.60q stands twice, first in line %d", key.Value, first)
			continue
		}
		lines[key.Value] = key.Line
		each(key, value)
	}
}

// list reads a list with something in it.
func (r *reader) list(n *yaml.Node, what string, each func(*yaml.Node)) {
	if !r.is(n, yaml.SequenceNode, what, "a list") {
		return
	}
	if len(n.Content) == 0 {
		r.problem(n.Line, "%s is empty, so nothing can ever match", what)
	}
	for _, item := range n.Content {
		each(item)
	}
}

// texts reads a list of distinct texts. The same in other letters counts as the
// same where fold is set.
func (r *reader) texts(n *yaml.Node, what string, fold bool, each func(text string, line int)) {
	lines := map[string]int{}
	r.list(n, what, func(item *yaml.Node) {
		text, ok := r.text(item, "an entry of "+what)
		if !ok {
			return
		}
		key := text
		if fold {
			key = strings.ToLower(text)
		}
		if first, twice := lines[key]; twice {
			r.problem(item.Line, "%.120q stands twice in %s, first in line %d", text, what, first)
			return
		}
		lines[key] = item.Line
		each(text, item.Line)
	})
}

// text reads one line of text.
func (r *reader) text(n *yaml.Node, what string) (string, bool) {
	if !r.is(n, yaml.ScalarNode, what, "a text") {
		return "", false
	}
	if n.ShortTag() != "!!str" {
		r.problem(n.Line, "%s must be a text; put %.60q in quotes", what, n.Value)
		return "", false
	}
	if strings.TrimSpace(n.Value) == "" || len(n.Value) > 1000 || strings.ContainsFunc(n.Value, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		r.problem(n.Line, "%s must be one line of 1 to 1000 bytes", what)
		return "", false
	}
	return n.Value, true
}

// version reads the number of the format, of which there is one so far.
func (r *reader) version(n *yaml.Node) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || n.Value != "1" || n.Anchor != "" {
		r.problem(n.Line, "version must be 1")
	}
}

func (r *reader) is(n *yaml.Node, kind yaml.Kind, what, wanted string) bool {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		r.problem(n.Line, "%s uses an anchor or alias; write it out", what)
	case n.Kind != kind:
		r.problem(n.Line, "%s must be %s", what, wanted)
	default:
		return true
	}
	return false
}
