package bot

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Schema is the JSON schema of a policy, for editors and for people. What it
// cannot say (a name given twice, a rule that can never decide) only
// [ParsePolicy] finds.
//
//go:embed policy.schema.json
var Schema []byte

const (
	maxPolicy = 1 << 20
	maxRules  = 1000
	// maxReuse leaves a reused token ten minutes of its hour.
	maxReuse = 50 * time.Minute
)

// ParsePolicy reads a policy. The error is [Problems]: everything wrong with
// it, each with its line.
func ParsePolicy(data []byte) (*Policy, error) {
	r := &reader{}
	p := r.policy(data)
	if err := r.err(); err != nil {
		return nil, err
	}
	r.idle(p)
	if err := r.err(); err != nil {
		return nil, err
	}
	return p, nil
}

func (r *reader) policy(data []byte) *Policy {
	p := &Policy{}
	root := r.document(data, maxPolicy)
	if root == nil {
		return p
	}
	lines := map[string]int{}
	r.mapping(root, "the policy", fields{
		"version": r.version,
		"rules": func(n *yaml.Node) {
			if !r.is(n, yaml.SequenceNode, "rules", "a list") {
				return
			}
			if len(n.Content) > maxRules {
				r.problem(n.Line, "there are more than %d rules", maxRules)
				return
			}
			for _, item := range n.Content {
				one := r.rule(item)
				if first, twice := lines[one.name]; twice && one.name != "" {
					r.problem(item.Line, "the name %q is that of the rule in line %d already", one.name, first)
				}
				lines[one.name] = one.line
				p.rules = append(p.rules, one)
			}
		},
	}, "version", "rules")
	return p
}

func (r *reader) rule(n *yaml.Node) rule {
	one := rule{line: n.Line, repositories: map[string]bool{}, owners: map[string]bool{}, except: map[string]bool{}}
	exceptLines := map[string]int{}
	r.mapping(n, "a rule", fields{
		"name": func(n *yaml.Node) {
			if name, ok := r.text(n, "name"); ok {
				if one.name = name; !isRuleName(name) {
					r.problem(n.Line, "the name %.80q must be 1 to 64 letters, digits, dots, dashes and underscores", name)
				}
			}
		},
		"reason":       func(n *yaml.Node) { one.reason, _ = r.text(n, "reason") },
		"callers":      func(n *yaml.Node) { one.callers = r.callers(n) },
		"repositories": func(n *yaml.Node) { r.repositories(n, &one) },
		"except": func(n *yaml.Node) {
			r.texts(n, "except", true, func(full string, line int) {
				if _, _, ok := splitRepository(full); !ok {
					r.problem(line, "%.120q in except must be OWNER/NAME, without a pattern", full)
					return
				}
				one.except[strings.ToLower(full)] = true
				exceptLines[strings.ToLower(full)] = line
			})
		},
		"permissions": func(n *yaml.Node) { one.permissions = r.permissions(n) },
		"reuse":       func(n *yaml.Node) { one.reuse = r.reuse(n) },
	}, "name", "reason", "callers", "repositories", "permissions")
	r.exceptions(one, exceptLines)
	return one
}

// exceptions checks that each exception takes something away, from what was
// given owner-wide: one that does not is a mistake in a name.
func (r *reader) exceptions(one rule, lines map[string]int) {
	for _, full := range sortedKeys(one.except) {
		owner, _, _ := strings.Cut(full, "/")
		switch {
		case one.repositories[full]:
			r.problem(lines[full], "%q is named in repositories and in except: it can never match", full)
		case !one.owners[owner]:
			r.problem(lines[full], "%q excludes nothing: repositories has no %s/*", full, owner)
		}
	}
}

// isRuleName reports whether a name can stand in a log, a list and a sentence as
// it is.
func isRuleName(name string) bool {
	return name != "" && len(name) <= 64 && isAlphanumeric(rune(name[0])) &&
		!strings.ContainsFunc(name, func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("._-", r) })
}

// isCallerName reports whether the Hub could have a service, user or group of
// that name, in which "*" may stand for anything. It is one line already.
func isCallerName(name string) bool {
	return name != "" && utf8.RuneCountInString(name) <= 255 && name[0] != ' ' && name[0] != ':'
}

func (r *reader) callers(n *yaml.Node) []pattern {
	var callers []pattern
	r.texts(n, "callers", false, func(text string, line int) {
		kind, name, _ := strings.Cut(text, ":")
		if !slices.Contains([]string{Service, User, group}, kind) || !isCallerName(name) {
			r.problem(line, "the caller %.120q must be service:NAME, user:NAME or group:NAME", text)
			return
		}
		callers = append(callers, pattern{kind, name})
	})
	return callers
}

func (r *reader) repositories(n *yaml.Node, one *rule) {
	r.texts(n, "repositories", true, func(text string, line int) {
		owner, name, _ := strings.Cut(strings.ToLower(text), "/")
		if name == "*" && isOwner(owner) {
			one.owners[owner] = true
			return
		}
		if _, _, ok := splitRepository(text); !ok {
			r.problem(line, "the repository %.120q must be OWNER/NAME or OWNER/*; a * is allowed nowhere else", text)
			return
		}
		one.repositories[strings.ToLower(text)] = true
	})
}

func (r *reader) permissions(n *yaml.Node) map[string]string {
	allowed := map[string]string{}
	r.pairs(n, "permissions", func(key, value *yaml.Node) {
		level, ok := r.text(value, "a permission")
		if !ok {
			return
		}
		if problem := permissionProblem(key.Value, level); problem != "" {
			r.problem(key.Line, "%s", problem)
			return
		}
		allowed[key.Value] = level
	})
	if n.Kind == yaml.MappingNode && len(n.Content) == 0 {
		r.problem(n.Line, "permissions is empty, so nothing can ever match")
	}
	return allowed
}

func (r *reader) reuse(n *yaml.Node) time.Duration {
	text, ok := r.text(n, "reuse")
	if !ok {
		return 0
	}
	minutes, _ := strconv.Atoi(strings.TrimSuffix(text, "m")) // written again below, and compared
	if text != strconv.Itoa(minutes)+"m" || minutes < 1 || minutes > int(maxReuse/time.Minute) {
		r.problem(n.Line, "reuse must be 1m to %dm: a token lives an hour", int(maxReuse/time.Minute))
		return 0
	}
	return time.Duration(minutes) * time.Minute
}

// idle reports rules that can never decide, because an earlier one allows all
// that they allow.
func (r *reader) idle(p *Policy) {
	for i := range p.rules {
		for j := range p.rules[:i] {
			if later, earlier := &p.rules[i], &p.rules[j]; later.within(earlier) {
				r.problem(later.line, "rule %q can never match: rule %q in line %d allows all of it already", later.name, earlier.name, earlier.line)
				break
			}
		}
	}
}

// within reports whether every request that r allows is allowed by other.
func (r *rule) within(other *rule) bool {
	for _, p := range r.callers {
		if !other.coversPattern(p) {
			return false
		}
	}
	for full := range r.repositories {
		if owner, name, _ := strings.Cut(full, "/"); !other.includes(owner, name) {
			return false
		}
	}
	for owner := range r.owners {
		if !other.owners[owner] {
			return false
		}
	}
	for full := range other.except {
		if owner, name, _ := strings.Cut(full, "/"); r.includes(owner, name) {
			return false
		}
	}
	return lacking(other.permissions, r.permissions) == ""
}

// coversPattern reports whether everyone whom p names is named by r. A pattern
// is compared as a text: its stars are matched by stars only, which finds most
// cases and never one too many.
func (r *rule) coversPattern(p pattern) bool {
	for _, q := range r.callers {
		if q.kind == p.kind && glob(q.name, p.name) {
			return true
		}
	}
	return false
}

// String describes a policy in a log line.
func (p *Policy) String() string { return fmt.Sprintf("a policy of %d rules", len(p.rules)) }
