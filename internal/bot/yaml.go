package bot

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"reflect"
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

const emptyFile = "the file is empty"

// empty reports whether all that is wrong is that there is nothing in the file.
func (p Problems) empty() bool { return len(p) == 1 && p[0].Message == emptyFile }

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

// reader reads a YAML document into a format and collects what is wrong with it.
// It is stricter than decoding alone: nothing unknown, nothing twice, no value of
// another type, no anchors, and every problem has its line. (The library's
// KnownFields finds the unknown only, not below types that decode themselves, and
// leaves out what holds another mistake, so that not all would be named at once.)
type reader struct {
	problems Problems
	doubts   Problems // what may be a mistake
}

// read reads the one document of a file of at most limit bytes into a format. What
// is wrong is taken out first, so that the rest is read all the same.
func (r *reader) read(data []byte, limit int, what string, format any) {
	root := r.document(data, limit)
	if root == nil || !r.check(root, reflect.TypeOf(format).Elem(), what) {
		return
	}
	if err := root.Decode(format); err != nil {
		r.problem(0, "%s cannot be read: %v", what, err)
	}
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
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		r.problem(0, emptyFile)
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
	number, rest, _ := strings.Cut(strings.TrimPrefix(message, "line "), ": ")
	if n, err := strconv.Atoi(number); err == nil {
		line, message = n, rest
	}
	r.problem(line, "this is not YAML: %s", message)
}
