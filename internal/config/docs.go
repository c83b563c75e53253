package config

import (
	"fmt"
	"io"
	"strings"
)

// WriteHelp writes the settings for a terminal.
func WriteHelp(w io.Writer) error {
	var b strings.Builder
	b.WriteString("Each setting is a flag, an environment variable and a key of the YAML file\n")
	b.WriteString("named by -config or GHSCOPED_CONFIG; the flag wins, then the environment.\n")
	group := ""
	for _, s := range Table() {
		if s.Group != group {
			group = s.Group
			fmt.Fprintf(&b, "\n%s\n", group)
		}
		name := "-" + s.Name
		if s.EnvOnly {
			name = "(no flag)"
		}
		fmt.Fprintf(&b, "  %s   %s\n      %s%s\n", name, strings.Join(s.Env, ", "), s.Doc, helpDefault(s))
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
