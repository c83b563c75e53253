package bot

import (
	_ "embed"
	"fmt"
	"slices"
)

// RepositoryFileSchema is the JSON schema of a repository's file.
//
//go:embed repository.schema.json
var RepositoryFileSchema []byte

const (
	// RepositoryFilePath is where the owner of a repository has the last word,
	// on its default branch.
	RepositoryFilePath = ".github/ghscoped.yaml"

	maxRepositoryFile = 16 << 10
)

// RepositoryFile is what a repository's owner allows to whom. It can only
// narrow what the policy allows: a request needs both.
type RepositoryFile struct {
	// Doubts are what may be a mistake in it.
	Doubts Problems

	allow []allowance
}

type allowance struct {
	callers     []pattern
	where       conditions
	permissions map[string]string
}

// fileFormat is a repository's file as its owner writes it.
type fileFormat struct {
	Version int               `yaml:"version"`
	Allow   []at[allowFormat] `yaml:"allow"`
}

type allowFormat struct {
	Callers     []caller   `yaml:"callers" doc:"Those of a policy, in the same form."`
	Where       conditions `yaml:"where,omitempty" doc:"What claims of a workload's identity token must be: one text or several, * stands for any run of characters."`
	Permissions grants     `yaml:"permissions" doc:"What they may at most be given here; write includes read."`
	Reason      string     `yaml:"reason,omitempty" doc:"What it is for."`
}

func (allowFormat) what() string { return "an entry of allow" }

// ParseRepositoryFile reads a repository's file. The error is [Problems].
func ParseRepositoryFile(data []byte) (*RepositoryFile, error) {
	r := &reader{}
	var format fileFormat
	r.read(data, maxRepositoryFile, "the file", &format)
	f := &RepositoryFile{}
	for _, item := range format.Allow {
		one := allowance{patterns(item.Value.Callers), item.Value.Where, item.Value.Permissions}
		r.workloads(item.Line, one.callers, one.where)
		f.allow = append(f.allow, one)
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	f.Doubts = r.doubts
	return f, nil
}

// String describes a file in a line.
func (f *RepositoryFile) String() string { return fmt.Sprintf("a file of %d entries", len(f.allow)) }

// Allows reports whether one entry allows all the permissions to the caller.
func (f *RepositoryFile) Allows(c Caller, permissions map[string]string) bool {
	return slices.ContainsFunc(f.allow, func(a allowance) bool {
		return slices.ContainsFunc(a.callers, func(p pattern) bool { return p.matches(c) }) &&
			a.where.refusal(c) == "" && lacking(a.permissions, permissions) == ""
	})
}
