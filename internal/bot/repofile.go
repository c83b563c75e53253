package bot

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

const (
	// RepositoryFilePath is where the owner of a repository has the last word,
	// on its default branch.
	RepositoryFilePath = ".github/ghscoped.yaml"

	maxRepositoryFile = 16 << 10
)

// RepositoryFile is what a repository's owner allows to whom. It can only
// narrow what the policy allows: a request needs both.
type RepositoryFile struct {
	allow []allowance
}

type allowance struct {
	callers     []pattern
	permissions map[string]string
}

// ParseRepositoryFile reads a repository's file. The error is [Problems].
func ParseRepositoryFile(data []byte) (*RepositoryFile, error) {
	r := &reader{}
	f := &RepositoryFile{}
	if root := r.document(data, maxRepositoryFile); root != nil {
		r.mapping(root, "the file", fields{
			"version": r.version,
			"allow": func(n *yaml.Node) {
				if r.is(n, yaml.SequenceNode, "allow", "a list") {
					for _, item := range n.Content {
						f.allow = append(f.allow, r.allowance(item))
					}
				}
			},
		}, "version", "allow")
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	return f, nil
}

func (r *reader) allowance(n *yaml.Node) allowance {
	var a allowance
	r.mapping(n, "an entry of allow", fields{
		"callers":     func(n *yaml.Node) { a.callers = r.callers(n) },
		"permissions": func(n *yaml.Node) { a.permissions = r.permissions(n) },
		"reason":      func(n *yaml.Node) { _, _ = r.text(n, "reason") },
	}, "callers", "permissions")
	return a
}

// Allows reports whether one entry allows all the permissions to the caller.
func (f *RepositoryFile) Allows(c Caller, permissions map[string]string) bool {
	return slices.ContainsFunc(f.allow, func(a allowance) bool {
		return slices.ContainsFunc(a.callers, func(p pattern) bool { return p.matches(c) }) &&
			lacking(a.permissions, permissions) == ""
	})
}
