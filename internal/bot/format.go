package bot

import (
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/ghscoped/ghscoped-service/internal/spelling"
)

// maxEntries is how many rules there may be.
const maxEntries = 1000

// A format is a struct whose fields are the keys of a mapping; a field without
// omitempty is required. Its types say what the values must be, to the reader
// and to the schema.

// form is what a text must look like.
type form struct {
	what    string            // as in: the caller "x"
	pattern *regexp.Regexp    // nil: any
	valid   func(string) bool // finds what a pattern cannot; nil: nothing
	must    string            // be, in words
	fold    bool              // the same in other letters is the same
}

func (f form) fits(text string) bool {
	return (f.pattern == nil || f.pattern.MatchString(text)) && (f.valid == nil || f.valid(text))
}

// at is a value with its line.
type at[T any] struct {
	Value T
	Line  int
}

// UnmarshalYAML implements [yaml.Unmarshaler].
func (a *at[T]) UnmarshalYAML(n *yaml.Node) error {
	a.Line = n.Line
	return n.Decode(&a.Value)
}

func (at[T]) value() reflect.Type { return reflect.TypeFor[T]() }

// valueOf is the type of a value, without its line, and its form if it has one.
func valueOf(t reflect.Type) (reflect.Type, form) {
	if located, ok := reflect.Zero(t).Interface().(interface{ value() reflect.Type }); ok {
		t = located.value()
	}
	if text, ok := reflect.Zero(t).Interface().(interface{ form() form }); ok {
		return t, text.form()
	}
	return t, form{}
}

// check compares a node with the type that it is to be read into. What is wrong
// below it is reported and taken out; it returns false where the node itself is.
func (r *reader) check(n *yaml.Node, t reflect.Type, what string) bool {
	t, form := valueOf(t)
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		r.problem(n.Line, "%s uses an anchor or alias; write it out", what)
		return false
	}
	switch t.Kind() {
	case reflect.Struct:
		return r.is(n, yaml.MappingNode, what, "a mapping") && r.checkFields(n, t, what)
	case reflect.Map:
		if t == reflect.TypeFor[conditions]() {
			return r.is(n, yaml.MappingNode, what, "a mapping") && r.checkConditions(n, what)
		}
		return r.is(n, yaml.MappingNode, what, "a mapping") && r.checkPermissions(n, what)
	case reflect.Slice:
		return r.is(n, yaml.SequenceNode, what, "a list") && r.checkList(n, t.Elem(), what)
	case reflect.Int:
		return r.checkVersion(n)
	}
	return r.is(n, yaml.ScalarNode, what, "a text") && r.checkText(n, form, what)
}

// is reports what is not of a kind. What is tagged !!null would be decoded as
// nothing, whatever it holds.
func (r *reader) is(n *yaml.Node, kind yaml.Kind, what, wanted string) bool {
	if n.Kind == kind && n.ShortTag() != "!!null" {
		return true
	}
	r.problem(n.Line, "%s must be %s", what, wanted)
	return false
}

// checkFields checks a mapping whose keys are the fields of a format.
func (r *reader) checkFields(n *yaml.Node, t reflect.Type, what string) bool {
	fields, found := map[string]reflect.Type{}, map[string]bool{}
	var required []string
	for _, field := range reflect.VisibleFields(t) {
		key, optional := strings.CutSuffix(field.Tag.Get("yaml"), ",omitempty")
		fields[key] = field.Type
		if !optional {
			required = append(required, key)
		}
	}
	r.checkPairs(n, what, func(key, value *yaml.Node) bool {
		field, known := fields[key.Value]
		if !known {
			r.problem(key.Line, "%s knows no key %.60q%s", what, key.Value, instead(key.Value, sortedKeys(fields)))
			return false
		}
		found[key.Value] = true
		return r.check(value, field, key.Value)
	})
	for _, key := range required {
		if !found[key] {
			r.problem(n.Line, "%s lacks the key %q", what, key)
		}
	}
	return true
}

// instead says which known name may have been meant, or else which there are.
func instead(name string, known []string) string {
	if near := spelling.Nearest(name, known); near != "" {
		return " (did you mean " + near + "?)"
	}
	return "; it has " + strings.Join(known, ", ")
}

// checkPermissions checks a mapping of permissions to levels.
func (r *reader) checkPermissions(n *yaml.Node, what string) bool {
	if len(n.Content) == 0 {
		r.problem(n.Line, "%s is empty, so nothing can ever match", what)
	}
	r.checkPairs(n, what, func(key, value *yaml.Node) bool {
		if !r.check(value, reflect.TypeFor[string](), "a permission") {
			return false
		}
		if problem := permissionProblem(key.Value, value.Value); problem != "" {
			r.problem(key.Line, "%s", problem)
		} else if doubt := permissionDoubt(key.Value); doubt != "" {
			r.doubts = append(r.doubts, Problem{key.Line, doubt})
		}
		return true
	})
	return true
}

// checkPairs keeps the pairs of a mapping that are good, of plain keys none of
// which stands twice.
func (r *reader) checkPairs(n *yaml.Node, what string, good func(key, value *yaml.Node) bool) {
	lines := map[string]int{}
	var kept []*yaml.Node
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
		if good(key, value) {
			kept = append(kept, key, value)
		}
	}
	n.Content = kept
}

// checkList keeps the good entries of a list. One of texts has some, all
// distinct.
func (r *reader) checkList(n *yaml.Node, t reflect.Type, what string) bool {
	entry, form := valueOf(t)
	name := form.what
	format, isFormat := reflect.Zero(entry).Interface().(interface{ what() string })
	switch {
	case isFormat && len(n.Content) > maxEntries:
		r.problem(n.Line, "there are more than %d %s", maxEntries, what)
		return false
	case isFormat:
		name = format.what()
	case len(n.Content) == 0:
		r.problem(n.Line, "%s is empty, so nothing can ever match", what)
	}
	lines := map[string]int{}
	n.Content = slices.DeleteFunc(n.Content, func(item *yaml.Node) bool {
		if !r.check(item, t, name) {
			return true
		}
		text := item.Value
		if form.fold {
			text = strings.ToLower(text)
		}
		first, twice := lines[text]
		if twice && item.Kind == yaml.ScalarNode {
			r.problem(item.Line, "%.120q stands twice in %s, first in line %d", item.Value, what, first)
			return true
		}
		lines[text] = item.Line
		return false
	})
	return true
}

// checkText checks one line of text.
func (r *reader) checkText(n *yaml.Node, form form, what string) bool {
	switch {
	case n.ShortTag() != "!!str":
		r.problem(n.Line, "%s must be a text; put %.60q in quotes", what, n.Value)
	case strings.TrimSpace(n.Value) == "" || len(n.Value) > 1000 || strings.ContainsFunc(n.Value, func(c rune) bool { return c < ' ' || c == 0x7f }):
		r.problem(n.Line, "%s must be one line of 1 to 1000 bytes", what)
	case !form.fits(n.Value):
		r.problem(n.Line, "%s %.120q must be %s", form.what, n.Value, form.must)
	default:
		return true
	}
	return false
}

// checkVersion checks the number of the format, of which there is one so far.
func (r *reader) checkVersion(n *yaml.Node) bool {
	if n.ShortTag() != "!!int" || n.Value != "1" {
		r.problem(n.Line, "version must be 1")
		return false
	}
	return true
}
