package bot

import "slices"

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

// fileFormat is a repository's file as its owner writes it.
type fileFormat struct {
	Version int           `yaml:"version"`
	Allow   []allowFormat `yaml:"allow"`
}

type allowFormat struct {
	Callers     []caller `yaml:"callers"`
	Permissions grants   `yaml:"permissions"`
	Reason      string   `yaml:"reason,omitempty"`
}

func (allowFormat) what() string { return "an entry of allow" }

// ParseRepositoryFile reads a repository's file. The error is [Problems].
func ParseRepositoryFile(data []byte) (*RepositoryFile, error) {
	r := &reader{}
	var format fileFormat
	r.read(data, maxRepositoryFile, "the file", &format)
	if err := r.err(); err != nil {
		return nil, err
	}
	f := &RepositoryFile{}
	for _, item := range format.Allow {
		f.allow = append(f.allow, allowance{patterns(item.Callers), item.Permissions})
	}
	return f, nil
}

// Allows reports whether one entry allows all the permissions to the caller.
func (f *RepositoryFile) Allows(c Caller, permissions map[string]string) bool {
	return slices.ContainsFunc(f.allow, func(a allowance) bool {
		return slices.ContainsFunc(a.callers, func(p pattern) bool { return p.matches(c) }) &&
			lacking(a.permissions, permissions) == ""
	})
}
