package config

import (
	"fmt"
	"io"
	"strings"
)

// WriteHelp writes the settings for a terminal.
func WriteHelp(w io.Writer) error {
	var b strings.Builder
	b.WriteString("Settings are environment variables, and those that begin with GHSCOPED_ also keys\nof the YAML file that --config or GHSCOPED_CONFIG names; the environment wins.\n")
	group := ""
	for _, s := range Table() {
		if s.Group != group {
			group = s.Group
			fmt.Fprintf(&b, "\n%s\n", group)
		}
		fmt.Fprintf(&b, "  %s\n      %s%s\n", strings.Join(s.Env, ", "), s.Doc, helpDefault(s))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func helpDefault(s Setting) string {
	switch {
	case s.Required != "":
		return " (required)"
	case s.Derived != "":
		return " (default: " + s.Derived + ")"
	case s.Default != "":
		return " (default: " + s.Default + ")"
	}
	return ""
}
