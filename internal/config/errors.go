package config

import (
	"fmt"
	"strings"
)

// Error is one thing wrong with the settings.
type Error struct {
	// Setting is its name in the table; for an unknown one, as it was written.
	Setting string
	// Source is --config, the variable, or the file and line; "not set".
	Source string
	// Problem is what is wrong, Fix what to do.
	Problem, Fix string
}

func (e Error) Error() string {
	return fmt.Sprintf("%s (%s): %s; %s", e.Setting, e.Source, e.Problem, e.Fix)
}

// Errors is the error of [Load]: everything wrong, at once.
type Errors []Error

func (e Errors) Error() string {
	lines := make([]string, 0, len(e)+1)
	count := "1 configuration error:"
	if len(e) != 1 {
		count = fmt.Sprintf("%d configuration errors:", len(e))
	}
	lines = append(lines, count)
	for _, one := range e {
		lines = append(lines, "  "+one.Error())
	}
	return strings.Join(lines, "\n")
}

// problem is what a value's parser reports; the loader adds where it came from.
type problem struct{ what, fix string }

func (p *problem) Error() string { return p.what + "; " + p.fix }
