package config

import (
	"fmt"
	"strings"
)

// Fault is one thing wrong with the settings.
type Fault struct {
	// Setting is its name in the table; for an unknown one, as it was written.
	Setting string
	// Source is --config, the variable, or the file and line; "not set".
	Source string
	// Problem is what is wrong, Fix what to do.
	Problem, Fix string
}

func (f Fault) String() string {
	return fmt.Sprintf("%s (%s): %s; %s", f.Setting, f.Source, f.Problem, f.Fix)
}

// Faults is the error of [Load]: everything wrong, at once.
type Faults []Fault

func (f Faults) Error() string {
	lines := make([]string, 0, len(f)+1)
	count := "1 configuration error:"
	if len(f) != 1 {
		count = fmt.Sprintf("%d configuration errors:", len(f))
	}
	lines = append(lines, count)
	for _, fault := range f {
		lines = append(lines, "  "+fault.String())
	}
	return strings.Join(lines, "\n")
}

// problem is what a value's parser reports; the loader adds where it came from.
type problem struct{ what, fix string }

func (p *problem) Error() string { return p.what + "; " + p.fix }
