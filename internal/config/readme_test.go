package config_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/config"
)

var update = flag.Bool("update", false, "write the README's table of settings anew")

func TestSettingsAreInTheREADME(t *testing.T) {
	const (
		path  = "../../README.md"
		begin = "-update` -->\n"
		end   = "<!-- /settings -->\n"
	)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	head, rest, found := strings.Cut(string(content), begin)
	require.True(t, found, "the README has no %q", begin)
	table, tail, found := strings.Cut(rest, end)
	require.True(t, found, "the README has no %q", end)

	want := "\n" + settingsTables() + "\n"
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(head+begin+want+end+tail), 0o644))
		return
	}
	require.Equal(t, want, table, "make it anew: go test ./internal/config -run README -update")
}

// settingsTables are the settings as the README has them.
func settingsTables() string {
	var b strings.Builder
	group := ""
	for _, s := range config.Table() {
		if s.Group != group {
			if group != "" {
				b.WriteString("\n")
			}
			group = s.Group
			fmt.Fprintf(&b, "**%s**\n\n| variable | key | meaning | default |\n|---|---|---|---|\n", group)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n",
			code(s.Env...), keyCell(s), strings.ReplaceAll(s.Doc, "|", `\|`), markdownDefault(s))
	}
	return b.String()
}

func code(words ...string) string { return "`" + strings.Join(words, "`, `") + "`" }

func keyCell(s config.Setting) string {
	if s.EnvOnly() {
		return "none"
	}
	return code(s.Name)
}

func markdownDefault(s config.Setting) string {
	switch {
	case s.Required != "":
		return "required"
	case s.Derived != "":
		return s.Derived
	case s.Default != "":
		return code(s.Default)
	}
	return ""
}
